"""Fills of the background: one file = one value of `compose.fill`.

Each file offers

- `NEEDS_MATTE: bool`: False = `background` is the finished picture and no matte is read; True = the person is
  composited on it with the matte;
- `background(crop, old_background, rng) -> picture`:
    - `crop`: uint8 [S, S, 3] RGB, the photo's square, `crop.NEUTRAL` beyond the photo; must not be changed;
    - `old_background`: uint8 [S, S], 255 where the crop shows the old background alone, 0 where it shows the
      person, an edge, or padding;
    - `rng`: numpy Generator, seeded by run and photo;
    - returns uint8 [S, S, 3] RGB, the same for the same arguments.
"""
