"""``clinsynth bundle``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.cli import Command, add_data_dir, names

EXAMPLES = (
    "clinsynth bundle clinsynth.zip --no-wheels --dry-run",
    "clinsynth bundle clinsynth.zip --no-wheels",
)


def _configure(parser: argparse.ArgumentParser) -> None:
    from clinsynth.bundle import EXTRAS

    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write; python3 OUT DIR installs it")
    parser.add_argument("--tasks", type=names, default=(), help="prepared tasks, with commas between (default: all)")
    parser.add_argument("--recipes", type=names, default=(), help="whose students go along (default: the default one)")
    parser.add_argument("--snapshot", type=Path, default=Path("snapshot"), metavar="DIR",
                        help="what clinsynth snapshot wrote (default: snapshot, if there is one)")  # fmt: skip
    parser.add_argument("--submissions", type=Path, default=Path("submissions"), metavar="DIR",
                        help="submissions whose cards and records go along, without rows (default: "
                        "submissions)")  # fmt: skip
    parser.add_argument("--unlicensed-data", action="store_true",
                        help="also open data whose licence is not known to let it be handed on")  # fmt: skip
    parser.add_argument("--restricted-data", action="store_true",
                        help="also credentialed and registered data: only where your agreement lets you; the file is "
                        "then readable by you alone")  # fmt: skip
    parser.add_argument("--extras", type=names, default=EXTRAS,
                        help=f"what is installed beside clinsynth itself (default: {','.join(EXTRAS)}, everything in "
                        "the lock; such as app,llm,direct for less)")  # fmt: skip
    parser.add_argument("--no-wheels", action="store_true", help="data and results alone, to be unpacked")
    parser.add_argument("--wheels", type=Path, metavar="DIR",
                        help="collect packages here and keep them; those that are there are not fetched")  # fmt: skip
    parser.add_argument("--source", type=Path, metavar="DIR", help="the checkout to build clinsynth from")
    parser.add_argument("--dry-run", action="store_true", help="say what would go in and how large it is")
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Exit status: always 0."""
    from clinsynth.bundle import Request, packages_to_get, plan_bundle, write_bundle
    from clinsynth.training import DEFAULT_RECIPE

    request = Request(
        out=arguments.out, tasks=arguments.tasks, recipes=arguments.recipes or (DEFAULT_RECIPE,),
        unlicensed=arguments.unlicensed_data, restricted=arguments.restricted_data, data_dir=arguments.data_dir,
        snapshot=arguments.snapshot, submissions=arguments.submissions, packages=not arguments.no_wheels,
        extras=arguments.extras, wheels=arguments.wheels, source=arguments.source,
    )  # fmt: skip
    contents = plan_bundle(request)
    for part in contents.parts:
        print(f"{part.size / 1e6:10,.1f} MB  {part.what}: {part.about}")
    for what, why in contents.left_out:
        print(f"{'':>10}     not in it: {what}: {why}")
    if arguments.dry_run:
        if request.packages:
            print(packages_to_get(request))
        print(f"\nnothing was written; {contents.size / 1e6:,.1f} MB without the packages")
        return 0
    done = write_bundle(request, contents)
    if request.packages:
        print(f"{done.parts[-1].size / 1e6:10,.1f} MB  {done.parts[-1].what}: {done.parts[-1].about}")
    print(f"\n{request.out}: {done.size / 1e6:,.1f} MB; digest of its listing {done.listing_sha256}")
    print(f"next, on the other machine: python3 {request.out.name} DIR --expect {done.listing_sha256}")
    return 0


COMMANDS = {"bundle": Command(EXAMPLES, _configure, execute)}
