"""t2t_lite_demo: a page in the browser that translates with a trained model."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys

from absl import flags

from t2t_lite.errors import UserError
from t2t_lite.trainer.cli import command, common
from t2t_lite.trainer.cli.demo_answers import Model

FLAGS = flags.FlagValues()

DESCRIPTION = (
    "Serves a page where you type sentences and see the best translations, "
    "their scores, and what each token looked at. The page loads nothing from "
    "other hosts. Ctrl-C stops it."
)
EXAMPLES = (
    "t2t_lite_demo --output_dir=t2t_runs/translate_ende_phrasebook/"
    "transformer_tiny",
    "t2t_lite_demo --model_dir=runs/ende/export/1 --port=0",
    "t2t_lite_demo --output_dir=runs/ende --host=0.0.0.0 --port=8080 "
    '--decode_hparams="beam_size=8,alpha=1"',
)
_OF_A_RUN = (
    "output_dir",
    "t2t_usr_dir",
    "checkpoint_path",
    "decode_hparams",
    "mixed_precision",
)


def _define(values: flags.FlagValues) -> None:
    with command.group(values, "The model: a run, or a SavedModel"):
        common.define_run_flags(values)
        flags.DEFINE_string(
            "model_dir",
            None,
            "A version that t2t_lite_exporter wrote, in place of a run. Its "
            "graph is run as it is: give only one that you trust.",
            flag_values=values,
        )
    with command.group(values, "The page"):
        flags.DEFINE_string(
            "host",
            "127.0.0.1",
            "Address to serve at; 0.0.0.0: all of this machine's, for whoever "
            "reaches them.",
            flag_values=values,
        )
        flags.DEFINE_integer(
            "port",
            7860,
            "Port to serve at; 0: a free one.",
            lower_bound=0,
            upper_bound=65535,
            flag_values=values,
        )


def demo(values: flags.FlagValues) -> int:
    """Runs the command until it is stopped."""
    from t2t_lite.trainer.cli import demo_page

    _check(values)
    demo_page.import_gradio()
    with _listening(values.host, values.port) as place:
        model = _model(values)
        model.translate(["."])  # what is traced once is traced now
        page = demo_page.application(model)
        print(f"model: {model.name}")
        print(f"page: {_address(values.host, place)}")
        print("Ctrl-C stops it.", flush=True)
        _serve(page, place)
    return 0


def _check(values: flags.FlagValues) -> None:
    """Raises UserError where the flags name no model, or two."""
    if not values.model_dir:
        if not values.output_dir:
            raise UserError(
                "no model: give --output_dir, a run folder that the trainer "
                "printed, or --model_dir, a version that t2t_lite_exporter "
                "wrote"
            )
        return
    for name in _OF_A_RUN:
        if values[name].present:
            raise UserError(
                f"--{name} is of a run, --model_dir is a SavedModel: give one "
                "of them"
            )


def _model(values: flags.FlagValues) -> Model:
    """Loads what the flags name."""
    if values.model_dir:
        from t2t_lite.trainer.exported import Exported

        found = Exported(os.path.expanduser(values.model_dir))
        return Model(
            values.model_dir,
            found.translate,
            found.options,
            frozenset(found.defaults()),
        )
    from t2t_lite.trainer.predictors import require_text

    predictor = common.load_predictor(values)
    require_text(predictor, f"--output_dir={values.output_dir}")
    return Model(
        values.output_dir,
        predictor.translate,
        predictor.options,
        frozenset(predictor.defaults()),
    )


def _listening(host: str, port: int) -> socket.socket:
    """Returns a socket that listens.

    Raises:
        CommandError: the port is taken or not allowed.
        UserError: the host is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        place = socket.socket(family, kind, protocol)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(address)
        place.listen()
    except socket.gaierror as error:
        raise UserError(f"--host={host}: {error.strerror}") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise UserError(
                f"--host={host}: no address of this machine"
            ) from None
        raise command.CommandError(
            f"--port={port}: {error.strerror.lower()} at {host}; choose "
            "another, or 0 for a free one"
        ) from None
    return place


def _address(host: str, place: socket.socket) -> str:
    """Returns the page's address for a browser on this machine."""
    port = place.getsockname()[1]
    if host in ("", "0.0.0.0", "::"):
        return f"http://localhost:{port}/, and at this machine's addresses"
    return (
        f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    )


def _serve(page, place: socket.socket) -> None:
    """Serves until a signal ends it, which is raised again at the end."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets=None):
            # That it cuts pages off which are open is no news.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            await super().shutdown(sockets)

    config = uvicorn.Config(
        page,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    Server(config).run(sockets=[place])


_define(FLAGS)


def main() -> None:
    """The console script."""
    command.run(demo, FLAGS, DESCRIPTION, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main())
