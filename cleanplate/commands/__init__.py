"""`cleanplate NAME`: one file per command; its `main` (or `app`) is the command, its docstring the help."""

HELP = {  # the first paragraph of each command's docstring
    "cache": "The result cache: what networks found in each photo, kept so that no network looks twice.",
    "check": "Looks at params, data folder, tables, corrections and weights before any work, in seconds.",
    "compare": "Did it help? Compares experiments, tags, commits or the workspace with the first one named.",
    "corrections": "The table of corrections: check it, bring in the lists that teams made, hand it "
    "on, compare two.",
    "doctor": "Names what killed runs, full disks and flipped bits left behind, and with "
    "--mend puts it right.",
    "review": "Opens a page in the browser on which a person settles what the audit suspects.",
    "score": "What will this submission score? Expects it from its agreement with one of known score.",
    "sweep": "Runs a file of variants as DVC experiments and compares them, e.g. examples/sweeps/teams.yaml.",
    "verify": "Hashes everything again: DVC's cache, the outputs, the weights, the photos and "
    "the result cache.",
    "vote": "Makes one answer out of several: a hard vote over submissions, or a soft one "
    "over probabilities.",
    "weights": "The networks' weights: what weights.lock names, what of it is there, and a checksum for what "
    "has none.",
}
