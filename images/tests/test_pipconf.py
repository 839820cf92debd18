import configparser

from images.pipconf import CERTIFICATES, translate


def parsed(listing: str, certificates: str | None = None) -> tuple[dict[str, dict[str, str]], str | None]:
    text, found = translate(listing, certificates)
    configuration = configparser.RawConfigParser()
    configuration.read_string(text)
    return {section: dict(configuration.items(section)) for section in configuration.sections()}, found


def test_environment_wins_over_files_and_folders_of_the_machine_are_left_out() -> None:
    listing = ":env:.index-url='https://b.example/simple'\n:env:.find-links='/wheels'\nglobal.index-url='https://a.example/simple'\ninstall.pre='yes'"
    assert parsed(listing) == ({"global": {"index-url": "https://b.example/simple"}, "install": {"pre": "yes"}}, None)


def test_certificates_are_read_from_the_secret() -> None:
    assert parsed("global.cert='/etc/own.pem'", "/etc/all.pem") == ({"global": {"cert": CERTIFICATES}}, "/etc/own.pem")
    assert parsed("", "/etc/all.pem") == ({"global": {"cert": CERTIFICATES}}, "/etc/all.pem")


def test_values_of_several_lines_survive() -> None:
    found, _ = parsed("global.extra-index-url='https://a.example\\nhttps://b.example'")
    assert found["global"]["extra-index-url"].split() == ["https://a.example", "https://b.example"]


def test_without_configuration_the_file_is_empty() -> None:
    assert translate("", None) == ("", None)
