"""What the codes and texts of FHIR mean: check digits, every list of codes, and what a name may hide."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.analytes import all_analytes
from vein2vein.io.record.fhir.check_digits import loinc_digit, mistyped, snomed_digit
from vein2vein.io.record.fhir.codes import DRUG, PROCEDURE, Codes, book, system_of
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.names import FACTS

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
RXNORM, NDC, ATC = (
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://hl7.org/fhir/sid/ndc",
    "http://www.whocc.no/atc",
)
PCS, CPT = "http://www.cms.gov/Medicare/Coding/ICD10", "http://www.ama-assn.org/go/cpt"
MISREAD = {"99844-5", "450740000"}  # as they stand in the lists they were read from: no such codes can be
KINDS = {"LOINC": LOINC, "SNOMED CT": SNOMED, "RxNorm": RXNORM, "NDC": NDC, "ATC": ATC, "ICD-10-PCS": PCS, "CPT": CPT}


def concept(*codings, text=""):
    listed = [{"system": system, "code": code, **({"display": said} if said else {})} for system, code, said in codings]
    return {"coding": listed, **({"text": text} if text else {})}


def meaning(one, place="", mapping=None, **more):
    return Codes(mapping or TableMapping()).meaning(one, place, **more)


# ---------------------------------------------------------------- check digits


def test_the_check_digits_of_all_codes_are_right_and_of_two_that_were_read_wrong(shared):
    with open(shared / "clinic" / "words-codes.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    short = {"LOINC": "loinc", "SNOMED CT": "snomed"}
    wrong = {row["code"] for row in rows if row["system"] in short and mistyped(short[row["system"]], row["code"])}
    assert wrong == MISREAD
    data = book()
    for system in ("loinc", "snomed"):
        for table in (data[system], *(data[part].get(system, {}) for part in ("named", "refused", "unread", "panels"))):
            assert [code for code in table if mistyped(system, code)] == []


@given(st.sampled_from(sorted(book()["loinc"])), st.data())
def test_one_wrong_digit_of_a_loinc_code_is_found(code, data):
    at = data.draw(st.sampled_from([i for i, letter in enumerate(code) if letter.isdigit()]))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != code[at]]))
    assert mistyped("loinc", code[:at] + other + code[at + 1 :])


@given(st.sampled_from(sorted(book()["snomed"])), st.data())
def test_one_wrong_digit_of_a_snomed_code_and_two_swapped_are_found(code, data):
    at = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != code[at]]))
    assert mistyped("snomed", code[:at] + other + code[at + 1 :])
    if at and code[at] != code[at - 1]:
        assert mistyped("snomed", code[: at - 1] + code[at] + code[at - 1] + code[at + 1 :])


def test_the_routes_of_doses_have_the_right_check_digits():
    assert [code for code in book()["routes"]["codes"] if mistyped("snomed", code)] == []


def test_the_digits_of_known_codes():
    assert (loinc_digit("2276"), loinc_digit("8310"), snomed_digit("33662300")) == ("4", "5", "9")


# ---------------------------------------------------------------- lists


def test_every_entry_of_the_lists_names_something_with_its_mark_and_place():
    data = book()
    for system in ("loinc", "rxnorm", "snomed", "atc", "ndc", "icd10pcs", "cpt", "hcpcs"):
        for code, one in data[system].items():
            assert one["to"] in all_analytes() or one["to"] in FACTS, (system, code)
            assert one["mark"] in "RM" and one["where"]
    for part in ("named", "refused", "unread", "panels", "told"):
        for table in data[part].values():
            for code, one in table.items():
                assert one["mark"] in "RM" and one["where"] and (one.get("why") or part not in ("refused", "unread")), (
                    code
                )


def test_every_code_of_the_collection_is_read_or_refused_and_never_as_another_analyte(shared):
    """Codes that were read in a source: each gives the analyte it is listed under, or none."""
    with open(shared / "clinic" / "words-codes.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["system"] in KINDS and row["code"] not in MISREAD]
    read = 0
    for row in rows:
        place = DRUG if row["system"] in ("RxNorm", "NDC", "ATC") else PROCEDURE if "PCS" in row["system"] else ""
        found = meaning(concept((KINDS[row["system"]], row["code"], "")), place)
        listed = row["analyte_or_drug"].partition("=")[0]
        if listed in all_analytes() and not found.why:
            assert found.name == listed, row
            read += 1
        elif listed == "none":
            assert row["system"] == "ATC" or (found.why and not found.name and not found.unread), row
        elif listed.endswith("leucel"):
            assert (found.name, found.product) == ("car_t_infusion", listed), row
            read += 1
    assert read > 280


@pytest.mark.parametrize(
    ("code", "system"),
    [("urn:oid:2.16.840.1.113883.6.1", "loinc"), ("https://loinc.org/", "loinc"), ("HTTP://SNOMED.INFO/SCT", "snomed"),
     ("http://www.nlm.nih.gov/research/umls/rxnorm/", "rxnorm"), ("urn:hospital:lab", "urn:hospital:lab")],
)  # fmt: skip
def test_systems_are_known_by_all_their_addresses(code, system):
    assert system_of(code) == system


# ---------------------------------------------------------------- meanings


@pytest.mark.parametrize(
    ("one", "place", "name"),
    [
        (concept((LOINC, "8331-1", "")), "", "temperature"),  # by mouth
        (concept((LOINC, "8328-7", "")), "", "temperature"),  # in the armpit
        (concept(("", "777-3", "")), "", "platelets"),  # the form of LOINC codes is theirs alone
        (concept((LOINC, "59408-5", ""), (LOINC, "2708-6", "")), "", "spo2"),
        (concept(("urn:hospital", "4711", "Ferritin")), "", "ferritin"),
        (concept(text="Ferritin"), "", "ferritin"),
        (concept((RXNORM, "1657981", "")), DRUG, "tocilizumab"),
        (concept((NDC, "50242-136-01", "")), DRUG, "tocilizumab"),
        (concept((NDC, "50242013601", "")), DRUG, "tocilizumab"),  # without hyphens
        (concept((NDC, "50242-136-99", "")), DRUG, "tocilizumab"),  # another package
        (concept((ATC, "L04AC07", "")), DRUG, "tocilizumab"),
        (concept(text="tocilizumab 20 mg/mL"), DRUG, "tocilizumab"),
        (concept((RXNORM, "999999", "20 ML tocilizumab 20 MG/ML Injection [Actemra]")), DRUG, "tocilizumab"),
        (concept(("urn:pharmacy", "TOCI", "")), DRUG, "tocilizumab"),
        (concept((RXNORM, "242969", "")), DRUG, "norepinephrine"),
        (concept(text="Norepinephrine 8 mg in 250 mL D5W"), DRUG, "norepinephrine"),
        (concept((RXNORM, "1987402", "")), DRUG, "car_t_infusion"),
        (concept((NDC, "71287-119-01", "")), DRUG, "car_t_infusion"),
        (concept(text="Infusion of Kymriah"), PROCEDURE, "car_t_infusion"),
        (concept((PCS, "XW033H7", "")), PROCEDURE, "car_t_infusion"),
        (concept((CPT, "38228", "")), PROCEDURE, "car_t_infusion"),
    ],
)
def test_what_is_known_by_code_by_text_and_by_local_code(one, place, name):
    assert meaning(one, place).name == name


@pytest.mark.parametrize(
    ("one", "place", "why"),
    [
        (concept((LOINC, "2161-8", "Creatinine in urine")), "", "urine"),
        (concept((LOINC, "2528-8", "")), "", "cerebrospinal"),
        (concept((LOINC, "8440-0", "")), "", "pulmonary"),
        (concept((LOINC, "61008-9", "")), "", "skin"),
        (concept((LOINC, "8460-8", "")), "", "standing"),
        (concept((LOINC, "770-8", "")), "", "percentage"),
        (concept(("urn:lab", "x1", "Creatinine, urine")), "", "specimen"),
        (concept(text="Diastolic blood pressure"), "", "quantity"),
        (concept((LOINC, "1234-4", "Neutrophils/100 leukocytes in Blood")), "", "quantity"),
        (concept(text="Skin temperature"), "", "quantity"),
        (concept(text="dexamethasone 1 MG/ML Ophthalmic Suspension"), DRUG, "route"),
        (concept(text="Hydrocortisone 1% cream"), DRUG, "route"),
        (concept(text="lidocaine 10 MG/ML / epinephrine 0.01 MG/ML Injection"), DRUG, "mixture"),
        (concept((ATC, "B01AC06", "")), DRUG, "dose"),
    ],
)
def test_what_is_known_not_to_be_the_value_of_the_blood_is_refused_and_hides_nothing(one, place, why):
    found = meaning(one, place)
    assert why in found.why and not found.name and found.unread == ()


@pytest.mark.parametrize(
    ("one", "unread"),
    [
        (concept((LOINC, "777-4", "")), ("platelets",)),  # its last digit is 3
        (concept((LOINC, "26512-7", "Platelets")), ("platelets",)),  # 26515-7 with a slip: the words tell
        (concept((LOINC, "777-3", ""), (LOINC, "751-8", "")), ("neutrophils", "platelets")),  # which of the two?
        (concept((SNOMED, "45007003", "")), ("systolic_bp",)),  # low pressure, and no number
        (concept((SNOMED, "257268009", "")), ("oxygen_device",)),  # a laryngeal mask
    ],
)
def test_what_is_not_understood_names_the_analyte_that_is_then_unknown(one, unread):
    found = meaning(one)
    assert found.name == "" and found.unread == unread and found.why


def test_codes_of_a_mapping_come_first_under_any_address_of_their_system():
    mapping = TableMapping(codes={("https://loinc.org/", "2161-8"): "creatinine", ("urn:lab", "1"): "crp"})
    assert meaning(concept((LOINC, "2161-8", "")), mapping=mapping).name == "creatinine"
    assert meaning(concept(("urn:lab", "1", "Ferritin")), mapping=mapping).name == "crp"


@pytest.mark.parametrize(
    ("code", "value"),
    [("336623009", "1"), ("427591007", "2"), ("426854004", "3"), ("243142003", "4"), ("1258985005", "5"),
     ("449071006", ">3"), ("465839001", ">0")],
)  # fmt: skip
def test_devices_by_code(code, value):
    assert meaning(concept((SNOMED, code, "")))[:2] == ("oxygen_device", value)
