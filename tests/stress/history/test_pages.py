"""The pages of `make history`: published from a small history, opened in a browser without any network."""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stress.errors import UserError
from stress.history.pages import main, mark_costs
from tests.stress.history.kit import make_repository, write_benchmarks, write_file

NAMES = ("pairs.Pair.track_ratio", "bulk.Bulk.track_ratio")
CHROMIUM = "/usr/bin/chromium"
CONFIG = {"version": 1, "project": "small", "repo": ".", "branches": ["main"], "results_dir": "results/asv", "html_dir": "results/html"}
ISOLATED = ("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--proxy-server=direct://", "--disable-background-networking")


@pytest.fixture
def pages(tmp_path):
    """The folder of pages of six commits."""
    pytest.importorskip("asv_tachyon")
    for number, commit in enumerate(make_repository(tmp_path, 6)):
        slower = 1.2 if number > 3 else 1.0
        values = {NAMES[0]: {"'buddy'": 2.0 * slower, "'bitfield'": 3.0}, NAMES[1]: {"'buddy'": 4.0, "'bitfield'": 5.0}}
        write_file(tmp_path / "results/asv/desk", commit, values, started_at=1000 + number)
    write_benchmarks(tmp_path / "results/asv", NAMES, params=("'buddy'", "'bitfield'"))
    (tmp_path / "asv.conf.json").write_text(json.dumps(CONFIG))
    for words in (["asv", "publish"], ["stress.history.pages", "results/html"], ["asv_tachyon", "install", "results/html"]):
        root = str(Path(__file__).resolve().parents[3])
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": root, "HOME": str(tmp_path)}
        done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path / "results/html"


class Served:
    """A folder served to this host."""

    def __init__(self, folder):
        self.asked = []
        handler = functools.partial(self._handler(), directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(self):
        asked = self.asked

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_request(self, code="-", size="-"):
                if code == http.HTTPStatus.OK:
                    asked.append(self.path)

            def log_message(self, *_):
                pass

        return Quiet

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def document(self, place, profile):
        """What chromium has made of a page, as text."""
        url = f"http://127.0.0.1:{self.server.server_address[1]}/{place}"
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}", *ISOLATED)
        command = [CHROMIUM, *flags, "--virtual-time-budget=10000", "--dump-dom", url]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120).stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="no /usr/bin/chromium on this host (Debian: apt-get install chromium)")
def test_the_pages_draw_a_curve_without_network(pages, tmp_path):
    with Served(pages) as served:
        overview = served.document("", tmp_path / "profile")
        drawn = served.document(f"#view=explore&bench={NAMES[0]}", tmp_path / "profile")
    assert all(name in overview for name in NAMES)
    assert "6 revisions" in overview
    assert "<canvas" in drawn, "no curve"
    assert "2.400 calibrations" in drawn, "the newest figure"
    assert "higher is better" not in drawn
    assert any("/graphs/" in path and path.endswith(f"{NAMES[0]}.json") for path in served.asked), "no figures were read"


@pytest.mark.slow
def test_the_pages_name_no_address_outside(pages):
    """The classic pages of asv load their scripts from content networks."""
    shell = (pages / "index.html").read_text()
    assert "http" not in shell
    styles = [path.read_text() for path in (pages / "assets").glob("*.css")]
    assert styles
    assert not [style for style in styles if "url(http" in style or "@import" in style]


def test_every_benchmark_is_marked_as_a_cost(tmp_path, capsys):
    index = {"project": "small", "benchmarks": {"a.track_b": {"type": "track"}, "c.track_d": {"type": "track"}}}
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert main([str(tmp_path)]) == 0
    assert "2 benchmarks" in capsys.readouterr().out
    written = json.loads((tmp_path / "index.json").read_text())
    assert written["project"] == "small"
    assert all(each == {"type": "track", "less_is_better": True} for each in written["benchmarks"].values())


@pytest.mark.parametrize("text", ["[]", "{}", '{"benchmarks": 3}', "{"])
def test_what_is_no_index_is_refused(tmp_path, text, capsys):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(UserError, match="not an index of asv publish"):
        mark_costs(tmp_path)
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_usage(capsys):
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
