"""What comes behind the person: one file here = one value of `compose.fill`.

Each file offers

- `NEEDS_MATTE: bool`: False = `background` already is the finished picture and no matte is read; True = the
  person is put on it with the matte;
- `background(crop, behind, rng) -> picture`:
    - `crop`: uint8 [S, S, 3] RGB, the square cut out of the photo, `crop.NEUTRAL` where it reaches beyond the
      photo; not to be changed;
    - `behind`: uint8 [S, S], 255 where the crop certainly shows the old background, 0 where it shows the
      person, an edge, or padding;
    - `rng`: numpy Generator, seeded by run and photo;
    - returns uint8 [S, S, 3] RGB, the same for the same arguments.
"""
