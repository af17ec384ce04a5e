"""The base of every command: flags, --help, and what a failure prints.

A command owns its flags, so that two commands never meet in one namespace:

    FLAGS = flags.FlagValues()
    flags.DEFINE_integer("train_steps", 100, "Updates.", flag_values=FLAGS)

    def main():
        command.run(train, FLAGS, "Trains a model.", ["t2t_lite_trainer ..."])

Exit status: what the command returns (None is 0); 1 where the machine fails
(no space left, permission denied, a `CommandError`, a lost worker); 2 for a
mistake in the command line or in what it names; 130 after Ctrl-C; 143 after
SIGTERM. Anything else is a bug: a traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from absl import flags

from t2t_lite.errors import UserError, closest
from t2t_lite.trainer.cli.flag_help import group, help_text
from t2t_lite.trainer.cli.quiet import import_tensorflow
from t2t_lite.trainer.roll_call import PeerError

__all__ = ["CommandError", "group", "run"]

_HELP_FLAGS = ("--help", "-help", "-h", "--helpfull", "--helpshort")
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}
# What the operating system refuses, and what the user can do about it.
_MENDS = {
    errno.EACCES: "change its permissions or choose another place",
    errno.EPERM: "change its permissions or choose another place",
    errno.EROFS: "choose a place that can be written",
    errno.ENOSPC: "free some space or choose another disk",
    errno.EDQUOT: "free some of your quota or choose another disk",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file: choose another path",
    errno.EISDIR: "give a file, not a folder",
    errno.EEXIST: "a file is in the way: move it or choose another path",
    errno.EIO: "the disk reports a fault: check it or choose another one",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENAMETOOLONG: "choose a shorter path",
}


class CommandError(Exception):
    """A failure that is neither the user's mistake nor a bug.

    The message is one clear line; the exit status is 1.
    """


class _Terminated(BaseException):
    """SIGTERM came: what is half done is cleaned up on the way out."""


def _terminate(number: int, frame: object) -> None:
    del number, frame
    raise _Terminated


def run(
    main: Callable[..., int | None],
    flag_values: flags.FlagValues,
    description: str,
    examples: Sequence[str] = (),
    tensorflow: bool = True,
    takes_command: bool = False,
    arguments: Sequence[str] = (),
) -> None:
    """Parses `sys.argv`, calls `main(flag_values)`, and exits.

    TensorFlow's native log is silenced, unless TF_CPP_MIN_LOG_LEVEL is set;
    so `main`, not its module, must be what imports TensorFlow.

    Args:
        main: what the command does, given `flag_values`; returns its exit
            status, or None for 0.
        flag_values: FlagValues, the command's own flags.
        description: str, a sentence or two for --help.
        examples: command lines for --help.
        tensorflow: bool, import TensorFlow before `main`, without its noise.
        takes_command: bool, another command may stand behind `--`: its words
            are the second argument of `main`, a list.
        arguments: names of what is given without a flag, such as "FILE";
            all of them have to be, anywhere among the flags. The words are
            the next argument of `main`, a list.
    Raises:
        SystemExit: always, with the status that the module's text describes.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    program = _program_name(main)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        if _asks_for_help(sys.argv[1:]):
            with _naming_output():
                print(help_text(program, flag_values, description, examples))
            status = 0
        else:
            own, behind = sys.argv, []
            if takes_command and "--" in own:
                split = own.index("--")
                own, behind = own[:split], own[split + 1 :]
            given: list[object] = [flag_values]
            given += [behind] if takes_command else []
            words = _parse(flag_values, own, arguments)
            given += [words] if arguments else []
            if tensorflow:
                import_tensorflow()
            status = main(*given) or 0
        with _naming_output():
            sys.stdout.flush()
        sys.exit(status)
    except UserError as error:
        _fail(program, str(error), 2)
    except (CommandError, PeerError) as error:
        _fail(program, str(error), 1)
    except KeyboardInterrupt:
        _fail(program, "interrupted", 130)
    except _Terminated:
        _fail(program, "terminated", 143)
    except BrokenPipeError:
        # The reader left (`| head`): say nothing, as other tools do.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)
    except Exception as error:
        line = _machine_failure(error, flag_values)
        if line is None:
            raise
        _fail(program, line, 1)


def _program_name(main: Callable) -> str:
    """The name typed: a console script, or the module after `python -m`."""
    name = os.path.basename(sys.argv[0])
    if name.endswith(".py"):
        spec = getattr(sys.modules[main.__module__], "__spec__", None)
        return f"python -m {spec.name}" if spec else name
    return name


def _asks_for_help(arguments: Sequence[str]) -> bool:
    before_dashes = list(arguments)
    if "--" in before_dashes:
        before_dashes = before_dashes[: before_dashes.index("--")]
    return any(argument in _HELP_FLAGS for argument in before_dashes)


@contextlib.contextmanager
def _naming_output() -> Iterator[None]:
    """Names standard output where it cannot be written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None


def _fail(program: str, message: str, status: int) -> None:
    sys.stdout.flush()
    print(f"{program}: {message}", file=sys.stderr)
    sys.exit(status)


def _parse(
    values: flags.FlagValues, argv: Sequence[str], names: Sequence[str]
) -> list[str]:
    """Parses `argv` into `values`; returns the words that are no flags.

    Raises:
        UserError: an unknown flag, a wrong or missing value, or not one word
            for each of `names`.
    """
    if names:
        values.set_gnu_getopt(True)  # they may stand before flags
    try:
        rest = values(argv)[1:]
    except flags.UnrecognizedFlagError as error:
        near = difflib.get_close_matches(error.flagname, list(values), n=1)
        guess = f" (did you mean --{near[0]}?)" if near else ""
        raise UserError(
            f"unknown flag --{error.flagname}{guess}; --help lists all"
        ) from error
    # absl raises a bare ValueError for --noflag=value.
    except (flags.Error, ValueError) as error:
        raise UserError(_value_message(values, str(error))) from error
    if len(rest) < len(names):
        raise UserError(
            f"{names[len(rest)]} is missing: give {' '.join(names)}; --help "
            "has examples"
        )
    if len(rest) > len(names):
        raise UserError(
            f"unexpected argument {rest[len(names)]!r}: values belong to "
            "flags, as in --flag=value, in quotes if they hold spaces; --help "
            "lists all"
        )
    return rest


def _value_message(values: flags.FlagValues, message: str) -> str:
    """Words absl's message about a flag's value as our own."""
    found = re.match(r"flag --(\w+)=(.*?): (.*)", message, re.DOTALL)
    if not found:
        missing = re.sub("^Missing value for flag", "no value after", message)
        missing = missing.removeprefix("ERROR:: ")
        return f"{missing}; --help lists all"
    name, value, reason = found.groups()
    flag = values[name]
    choices = getattr(flag.parser, "enum_values", None)
    if choices:
        names = [str(choice) for choice in choices]
        reason = f"expected one of {', '.join(names)}{closest(value, names)}"
    elif not _converts(flag, value):
        reason = f"expected {_EXPECTED.get(flag.flag_type(), reason)}"
    return f"--{name}={value}: {reason}"


def _converts(flag: flags.Flag, value: str) -> bool:
    """Whether the value has the flag's type, so that a bound is at fault."""
    try:
        flag.parser.convert(value)
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def _machine_failure(error: Exception, values: flags.FlagValues) -> str | None:
    """Returns one line with what failed and the mend, or None for a bug."""
    if _is_native(error):
        from t2t_lite.trainer.collective import peer_failure

        if line := peer_failure(error):
            return line
    if isinstance(error, OSError) and error.errno in _MENDS:
        code, path = error.errno, error.filename
    else:
        code, path = _native_failure(error)
    if code is None:
        return None
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    # A full disk is met while writing, where the error has no path.
    place = f"{path}" if path else f"one of {_places(values)}"
    return f"{os.strerror(code).lower()}: {place}; {_MENDS[code]}"


def _is_native(error: Exception) -> bool:
    return type(error).__module__.startswith("tensorflow.")


def _native_failure(error: Exception) -> tuple[int | None, str | None]:
    """Reads errno and path out of TensorFlow's and HDF5's messages.

    TensorFlow writes "path; No space left on device"; HDF5 raises an OSError
    whose text holds "error message = 'No space left on device'".
    """
    hdf5 = isinstance(error, OSError) and not error.errno
    if not _is_native(error) and not hdf5:
        return None, None
    text = str(error)
    for code in _MENDS:
        words = os.strerror(code)
        if words in text:
            path = re.search(rf"(?:^|\s)(/.*); {words}", text)
            return code, path and path[1]
    return None, None


def _places(values: flags.FlagValues) -> str:
    places = [
        f"--{name}={values[name].value}"
        for name in values
        if name.endswith(("_dir", "file", "_path")) and values[name].value
    ]
    if _is_file(sys.stdout):
        places.append("standard output")
    return ", ".join([*places, os.environ.get("TMPDIR", "/tmp")])


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # closed, or no file of the system's
        return False
