"""The `meshlearn` command."""


def main() -> None:
    raise SystemExit("meshlearn: the command line is not there yet")
