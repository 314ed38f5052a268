"""`cleanplate NAME`: one file per command; its `main` (or `app`) is the command, its docstring the help."""

HELP = {  # the first paragraph of each command's docstring, in the order in which people need them
    "init": "Sets params.yaml for your photos: `cleanplate init photos --data FOLDER`, then `dvc repro`.",
    "check": "Checks params, data folder, tables, corrections and weights before a run, in seconds.",
    "folds": "Deals stratified folds and keeps them in data/folds.csv, so that nobody moves later.",
    "show": "Shows a photo as every stage left it: raw, box, matte, composed picture, synthetic copies.",
    "sweep": "Runs a file of variants as DVC experiments and compares them, e.g. examples/sweeps/teams.yaml.",
    "compare": "Did it help? Compares experiments, tags, commits or the workspace with the first one named.",
    "review": "Opens a browser page for reviewing the labels that the audit suspects.",
    "corrections": "Checks, imports, exports and compares tables of corrections.",
    "vote": "Combines several submissions: a hard vote over classes, or a soft one over probabilities.",
    "score": "What will this submission score? Estimates it from the agreement with a scored one.",
    "export": "Writes the trained model as a folder that works elsewhere: networks, steps, model card.",
    "predict": "Answers who is in a photo: mask, gender, age group of each person, by an exported model.",
    "try": "Opens a browser page that answers who is in a photo, or before the camera, by an exported model.",
    "verify": "Rehashes DVC's cache, the outputs, the weights, the photos and the result cache.",
    "doctor": "Finds what killed runs, full disks and bit flips left behind; --mend repairs it.",
    "cache": "Shows and prunes the result cache, which keeps what stages made of each photo.",
    "weights": "Lists the networks' weights, fetches them, and pins a checksum where none is published.",
}
