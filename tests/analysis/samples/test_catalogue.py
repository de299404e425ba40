"""The catalogue: what an entry may say, and whether it agrees with the data and with the portal's records."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import uproot
import yaml

import analysis.samples
from analysis.errors import ConfigurationError, UnknownSample
from analysis.samples import catalogue, find_sample, locate, read_sample
from analysis.samples.checks import check


def test_cms2010b_is_the_published_record() -> None:
    sample = find_sample("cms2010b")
    assert sample.doi == "10.7483/OPENDATA.CMS.GACK.GEJA"
    assert sample.page == "https://opendata.cern.ch/record/554"
    assert sample.schema_name == "cms_razor"
    assert sample.luminosity is None
    (file,) = sample.files
    assert file.download
    assert (file.download.size, file.download.adler32) == (1130837, "9412cf10")


def test_cms2010b_agrees_with_the_file(opendata: Path) -> None:
    sample = find_sample("cms2010b")
    content = (opendata / "cms2010b" / "MultiJetRun2010B.csv").read_bytes()
    (file,) = sample.files
    assert len(content) == file.size
    assert hashlib.sha256(content).hexdigest() == file.sha256
    header, *lines = content.splitlines()
    assert header.startswith(b"Run,Lumi,Event,MR,Rsq,")
    assert len(lines) == sample.events
    # What the catalogue's comment on the missing luminosity says.
    assert {line.partition(b",")[0] for line in lines} == {b"147926", b"147929", b"148029", b"149181"}


def test_unknown_sample_names_the_near_ones() -> None:
    with pytest.raises(UnknownSample, match=r"no sample 'cms2010' in the catalogue; did you mean cms2010b"):
        find_sample("cms2010")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"lumi": 1.0}, "lumi: Extra inputs"),
        ({"events": -1}, "events: "),
        ({"files": []}, "needs either `files` or `indexes`"),
        ({"indexes": [{"url": "root://host//a.json"}]}, "needs either `files` or `indexes`"),
        ({"access": "stream"}, "files.0: `access: stream` needs a `url` of the form root://"),
        ({"files": [{"url": "root://host//a/../../b.root"}]}, "'..' in root://host//a/../../b.root; give a `path`"),
        ({"files": [{"url": "root://host:99999//b.root"}]}, "files.0.url: .*Port out of range"),
        ({"files": [{"url": "/data/b.root"}]}, "files.0.url: "),
        ({"luminosity": "much"}, "luminosity: "),
        ({"name": "other"}, "describes the sample other; rename"),
    ],
)
def test_wrong_key_is_named(tmp_path: Path, change: dict[str, object], fault: str) -> None:
    good = yaml.safe_load((Path(analysis.samples.__file__).parent / "cms2010b.yaml").read_text())
    path = tmp_path / "cms2010b.yaml"
    path.write_text(yaml.safe_dump(good))
    assert read_sample(path) == find_sample("cms2010b")
    path.write_text(yaml.safe_dump(good | change))
    with pytest.raises(ConfigurationError, match=rf"cms2010b\.yaml .*{fault}"):
        read_sample(path)


def test_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("name: [broken\n")
    with pytest.raises(ConfigurationError, match=r"broken\.yaml is not valid YAML"):
        read_sample(path)


# --- the catalogue against the data and against what the portal says of them


def test_every_sample_is_named_as_its_file_and_complete() -> None:
    samples = catalogue()
    assert len(samples) > 20
    for name, sample in samples.items():
        assert sample.name == name
        assert name == name.lower()
        assert sample.title != name
        assert sample.schema_name
        assert sample.doi or sample.record or sample.origin
        assert sample.bytes
        for file in (*sample.files, *sample.indexes):
            assert file.size
            assert file.sha256 or file.adler32
            assert file.published or sample.origin


def test_every_file_at_hand_is_in_the_catalogue_once(opendata: Path, tmp_path: Path) -> None:
    """Each file of the folder belongs to one sample, or one for each of its trees, and is what the catalogue says.

    The sample lhco has the files of two others once more.
    """
    sums = dict(reversed(line.split()) for line in (opendata / "SHA256SUMS").read_text().splitlines())
    named = [
        (str(file.path), sample.tree, file)
        for name, sample in catalogue().items()
        for file in sample.files
        if file.sha256 and sample.access == "fetch" and name != "lhco"
    ]
    both = [*catalogue()["lhco_train"].files, *catalogue()["lhco_test"].files]
    assert [(file.path, file.sha256) for file in catalogue()["lhco"].files] == [(f.path, f.sha256) for f in both]
    assert {path: file.sha256 for path, _, file in named} == sums
    assert set(Counter((path, tree) for path, tree, _ in named).values()) == {1}
    assert {path for path, count in Counter(path for path, *_ in named).items() if count > 1} == {
        "higgs/Higgs_data.root"
    }
    for path, _, file in named:
        assert check(opendata / path, file, tmp_path) is None


def test_adler32_beside_a_sha256_is_of_the_same_file(opendata: Path) -> None:
    both = [file for sample in catalogue().values() for file in sample.files if file.sha256 and file.adler32]
    assert len(both) == 3
    for file in both:
        assert f"{zlib.adler32((opendata / file.path).read_bytes()):08x}" == file.adler32


def test_events_are_those_of_the_files(opendata: Path, tmp_path: Path) -> None:
    trees = {"atlas2020": "mini", "atlas2025": "analysis", "cms_nanoaod": "Events", "hep_tutorial": "events"}
    counted = {}
    for name, sample in catalogue().items():
        paths = locate(sample, opendata, tmp_path)
        for path in paths or ():
            if path.suffix == ".root":
                with uproot.open(path) as file:
                    events = file[sample.tree or trees[str(sample.schema_name)]].num_entries
            elif path.suffix == ".npy":
                events = len(np.load(path, mmap_mode="r"))
            else:  # Dark Machines alone has no header
                events = len(path.read_text().splitlines()) - (sample.schema_name != "darkmachines")
            counted[name] = counted.get(name, 0) + events
    assert len(counted) == 23
    assert counted == {name: find_sample(name).events for name in counted}


def test_published_files_are_those_of_the_records(opendata: Path) -> None:
    records = {record["recid"]: record for record in json.loads((opendata / "records.json").read_text())}
    published = {
        file["uri"]: (file["size"], file["checksum"], file.get("type"))
        for record in records.values()
        for file in record["files"]
    }
    for sample in catalogue().values():
        if sample.record:
            record = records[sample.record]
            assert sample.doi == record["doi"]
            # Record 554 states no licence; its parent, record 11, does.
            assert sample.licence == (record["license"] or records[11]["license"])
        for file in sample.files:
            if file.url:
                assert published[file.url] == (file.size, f"adler32:{file.adler32}", None)
        for index in sample.indexes:
            assert index.url
            assert published[index.url] == (index.size, f"adler32:{index.adler32}", "index.json")
            assert index.published
            assert index.published.url.startswith("https://opendata.cern.ch/eos/opendata/cms/Run2016")


@pytest.mark.parametrize(
    ("name", "record", "files", "events"),
    [
        ("cms2012_dimuon", 12341, 1, 61540413),
        ("cms2012b_doublemu", 12365, 1, 26084708),
        ("atlas2020_2lep", 15007, 4, None),
        ("atlas2020_4lep_full", 15005, 4, None),
        ("atlas2025_2to4lep", 93919, 16, 283951733),
        ("atlas2025_4lep", 93924, 16, 1362611),
        ("cms2016g_doublemuon", 30522, 29, 45235604),
        ("cms2016h_doublemuon", 30555, 28, 48912812),
        ("cms2016g_jetht", 30525, 70, 120688407),
        ("cms2016h_jetht", 30558, 72, 124050331),
    ],
)
def test_full_data_sets_are_whole(opendata: Path, name: str, record: int, files: int, events: int | None) -> None:
    sample = find_sample(name)
    (stated,) = [stated for stated in json.loads((opendata / "records.json").read_text()) if stated["recid"] == record]
    assert (sample.record, sample.events, sample.simulated) == (record, events, False)
    assert events == stated["distribution"].get("number_events")
    if sample.indexes:
        assert {index.url for index in sample.indexes} == {file["uri"] for file in stated["files"]}
        assert (files, sample.bytes) == (stated["distribution"]["number_files"], stated["distribution"]["size"])
    else:
        data = [file for file in stated["files"] if "/MC/" not in file["uri"] and file["uri"].endswith(".root")]
        assert {file.url for file in sample.files} == {file["uri"] for file in data}
        assert (len(sample.files), sample.bytes) == (files, sum(file["size"] for file in data))


def test_the_sample_of_two_records_is_both_of_them(opendata: Path) -> None:
    sample, parts = find_sample("cms2016gh_lowmass"), [find_sample(f"cms2016{run}_doublemuon") for run in "gh"]
    stated = {record["recid"]: record for record in json.loads((opendata / "records.json").read_text())}
    records = [stated[30522], stated[30555]]
    assert {index.url for index in sample.indexes} == {file["uri"] for each in records for file in each["files"]}
    assert sample.events == sum(each["distribution"]["number_events"] for each in records)
    assert sample.bytes == sum(each["distribution"]["size"] for each in records)
    assert {sample.licence} == {each["license"] for each in records}
    assert all(f"{each['recid']} (DOI {each['doi']})" in str(sample.origin) for each in records)
    assert sample.indexes == tuple(index for part in parts for index in part.indexes)
    assert [sample.certified] * 2 == [part.certified for part in parts]
    assert sample.triggers == ("HLT_TrkMu15_DoubleTrkMu5NoFiltersNoVtx",)
    assert (sample.record, sample.doi, sample.simulated) == (None, None, False)
