"""What the words, scales, rates and drugs of a ward mean, as a clinician would read them: one row for each spelling.

In the last column: a value; ``>= 2`` at least, ``> 0`` above, ``<= 9`` at most; ``?`` charted and not known;
``-`` nothing of this analyte is charted.
"""

import math
import re
import tomllib
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.analytes import all_analytes
from vein2vein.io.record import names
from vein2vein.io.record.cells import Cells
from vein2vein.io.record.charted import is_whole
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.meanings import TOPICS, phrases, read_words
from vein2vein.io.record.quantities import forget
from vein2vein.io.record.read import read_record
from vein2vein.io.record.record import Entry, Log
from vein2vein.sources import all_sources

WHO = ("1,weight,70,kg", "1,CRP,5,mg/L")


def read(path, *rows, who=WHO, mapping=None):
    path = path / "record.csv"
    lines = ["day,analyte,value,unit", *who, *rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if mapping:
        path.with_suffix(".toml").write_text(mapping, encoding="utf-8")
    return read_record(path)


def shown(record, name, day=3.0):
    """The cell of an analyte as the tables below write it."""
    course = record.course
    if name not in course.values or day not in course.days:
        return "-"
    at = 0, int(np.flatnonzero(course.days == day)[0])
    value = course.values[name][at]
    if course.marked(course.unread, name)[at]:
        assert math.isnan(value)
        return "?"
    if math.isnan(value):
        return "-"
    whole = is_whole(all_analytes()[name])
    if course.marked(course.above, name)[at]:
        return f"{'>=' if whole else '>'} {value:g}"
    if course.marked(course.below_lloq, name)[at]:
        return f"{'<=' if whole else '<'} {value:g}"
    return f"{value:g}"


def told(record, *analytes):
    return " ".join(shown(record, name).replace(" ", "") for name in analytes)


def quoted(value):
    return f'"{value}"'


# ---------------------------------------------------------------- oxygen

DEVICES = {
    "0": "room air|Room Air|RA|R/A|r.a.|none (room air)|ambient|on air|FiO2 0.21|no oxygen|off O2|weaned to RA"
    "|subambient"
    "|not on O2|aire ambiente|AA|Raumluft|air ambiant",
    "1": "nasal cannula|NC|N/C|nc 2L|2L NC|NC 2 L|NC @ 4L|NC (4)|nasal prongs|NP|prongs|nasal specs|nasal spectacles"
    "|nasal catheter|low flow|LFNC|LFNP|mustache cannula|pendant cannula|nasal cannula with humidification|O2 2 L"
    "|2 L/min|cannula|blow-by|blow by|BB|BBO2|wafting|waft|Room air;NC|humidified nasal cannula|gafas nasales"
    "|cánula nasal|GN|CN|bigotera|Nasenbrille|O2-Brille|Nasensonde|lunettes nasales|LN|lunettes O2",
    "2": "mask|facemask|face mask|FM|SFM|simple mask|Hudson mask|aerosol mask|humidified mask|cool aerosol|face tent"
    "|oxymask|OM|oxyplus|Oxi Plus|nebulised O2 mask|venturi|venti mask|ventimask|venturi 40 %|VM 35 %"
    "|air entrainment mask"
    "|non-rebreather|NRB|NRBM|NRM|non re-breather|non rebreathing|reservoir mask|15 L mask|partial rebreather|PRB"
    "|high concentration mask|NC/mask|mascarilla|Ventimask|VMK|mascarilla con reservorio|Sauerstoffmaske"
    "|Gesichtsmaske|Venturi-Maske|Reservoirmaske|Maske mit Reservoir|masque simple|masque à haute concentration|MHC",
    "3": "high flow|HFNC|HFNO|HFNP|HFNT|HHFNC|HHHFNC|HHFO|HFOT|high flow NC|heated high flow|Optiflow|Airvo|Vapotherm"
    "|Precision Flow|nasal high flow|NHF|THRIVE|HF|HFNC 40L/40%|High Flow NC;NRB|alto flujo|OAF|CNAF|GNAF"
    "|nasaler High-Flow|haut débit|OHD|OHDN",
    "4": "CPAP|BiPAP|BPAP|Bi-Pap|NIV|NIPPV|NPPV|NIMV|IPAP/EPAP|EPAP|AVAPS|SiPAP|RAM cannula with CPAP|mask ventilation"
    "|PEEP by mask|CPAP 40%|BiPAP + NC|VNI|VMNI|Maskenbeatmung",
    "5": "ventilator|vent|mechanical ventilation|MV|IMV|intubated|ETT|ET tube|OETT|T-piece on ETT|A/C|AC/VC|SIMV|PRVC"
    "|PCV|VCV|PSV|CPAP/PS|APRV|BiVent|HFOV|oscillator|NAVA|ASV|Neopuff|ECMO|ECLS|intubado|IOT|VMI|ventilado"
    "|intubiert|beatmet|kontrollierte Beatmung|intubé|ventilé",
    ">=1": "oxymizer|oxymizer cannula|reservoir cannula|RAM cannula|trach collar|trach mask|TC|TM|trach dome|T-piece"
    "|HME|transtracheal|oxyhood|O2 hood|headbox|incubator O2|tent|oxygen|O2|supplemental O2|on oxygen|FiO2 40%|NC qzx",
    ">=2": "Ambu|BVM|VM|mask qzx",
    "?": "LMA|laryngeal mask|OR|anesthesia|weaning|desat|prn O2|sleeping only|titrate|unknown|unable to assess|qzx"
    "|roomair?|room air qzx|NC?|not room air|?",
    "-": "n/a|not done|",
}


@pytest.mark.parametrize(("code", "text"), [(code, t) for code, row in DEVICES.items() for t in row.split("|")])
def test_oxygen_devices(tmp_path, code, text):
    assert told(read(tmp_path, f"3,oxygen device,{quoted(text)},"), "oxygen_device") == code


@pytest.mark.parametrize(
    ("rows", "device", "flow", "fio2"),
    [
        (["3,oxygen device,NC 2 L,"], "1", "2", "-"),
        (["3,oxygen device,2L NC,"], "1", "2", "-"),
        (["3,oxygen device,NC @ 4L,"], "1", "4", "-"),
        (["3,oxygen device,NC (4),"], "1", "4", "-"),
        (["3,oxygen device,NC 0.5 L,"], "1", "0.5", "-"),
        (["3,oxygen device,15 lpm NRB,"], "2", "15", "-"),
        (["3,oxygen device,HFNC 40L/60%,"], "3", "40", "0.6"),
        (["3,oxygen device,Venturi 40 %,"], "2", "-", "0.4"),
        (["3,oxygen device,mask FiO2 0.5,"], "2", "-", "0.5"),
        (["3,oxygen device,NC 2 L,", "3,oxygen flow,3,L/min"], "1", "3", "-"),  # what is charted itself comes first
        (["3,oxygen,nasal cannula,"], "1", "-", "-"),
        (["3,oxygen,2 L,"], "-", "2", "-"),
        (["3,oxygen,2,L/min"], "-", "2", "-"),
        (["3,oxygen,95,%"], "-", "?", "-"),  # a saturation, or a fraction
        (["3,sats,94% 2L NC,"], "1", "2", "-"),
        (["3,sats,94% 2L NC,", "3,oxygen device,room air,"], "1", "2", "-"),  # of two devices the higher
        (["3,oxygen flow,500,mL/min"], "-", "0.5", "-"),
        (["3,oxygen device,blow-by,"], "1", "<6", "-"),
        (["3,oxygen flow,15,mL/min"], "-", "?", "-"),  # L/min with a slip
    ],
)
def test_flow_and_fraction_within_a_text(tmp_path, rows, device, flow, fio2):
    record = read(tmp_path, *rows)
    assert told(record, "oxygen_device", "oxygen_flow", "fio2") == f"{device} {flow} {fio2}"


def test_devices_of_home_and_for_the_airway(tmp_path):
    assert told(read(tmp_path, "3,oxygen device,home CPAP,"), "oxygen_device", "home_oxygen") == "4 4"
    assert (
        told(read(tmp_path, "3,oxygen device,home O2 2 L,"), "oxygen_device", "home_oxygen", "home_oxygen_flow")
        == "1 1 2"
    )
    record = read(tmp_path, "3,home_oxygen,NC 2 L,")
    assert told(record, "oxygen_device", "home_oxygen", "home_oxygen_flow") == "- 1 2"
    record = read(tmp_path, "3,oxygen device,intubated for airway protection,")
    assert told(record, "oxygen_device", "airway_protection") == "5 1"


@pytest.mark.parametrize(
    ("weight", "rows", "code"),
    [
        ("8", ["3,oxygen device,HFNC,"], ">=1"),  # a child under 10 kg: at least low flow
        ("8", ["3,oxygen device,HFNC 8 L,"], "3"),
        ("12", ["3,oxygen device,HFNC,"], "3"),
    ],
)
def test_high_flow_of_a_small_child(tmp_path, weight, rows, code):
    assert told(read(tmp_path, *rows, who=(f"1,weight,{weight},kg",)), "oxygen_device") == code


# ---------------------------------------------------------------- arousal and its scales

AROUSAL = {
    "0": "alert|awake|A&O x4|GCS 15|oriented|appropriate|alert and oriented x4|despierto|wach|éveillé",
    "1": "awakens spontaneously|spontaneous",
    "2": "sleepy|drowsy|lethargic|somnolent|easily arousable|arouses to voice|to voice|awakens to voice"
    "|drowsy, to voice|somnoliento|responde a la voz|schläfrig|auf Ansprache weckbar|réveillable à la voix",
    "3": "to touch|tactile|awakens to tactile stimulus",
    ">=3": "obtunded|stuporous|arouses to touch|hard to wake|to pain|estuporoso|soporös|stuporeux",
    "4": "responds only to pain|sternal rub|noxious|comatose|unresponsive|GCS 3|unarousable|stupor|coma|not arousable"
    "|no responde|en coma|comatoso|komatös|nicht erweckbar|bewusstlos|aréactif|comateux",
    "?": "asleep|sleeping|sedated|A&O x3|A&O x2|A&O x1|disoriented|confused|confuso|verwirrt|not alert|unknown|qzx"
    "|alert but confused|no valorable|nicht beurteilbar",
    "-": "not done|",
}


@pytest.mark.parametrize(("code", "text"), [(code, t) for code, row in AROUSAL.items() for t in row.split("|")])
def test_arousal_in_words(tmp_path, code, text):
    assert told(read(tmp_path, f"3,arousal,{quoted(text)},"), "arousal") == code


@pytest.mark.parametrize("text", ["A&O x3", "confused", "disoriented", "alert but confused"])
def test_confused_is_no_arousal_and_at_most_nine_points(tmp_path, text):
    assert told(read(tmp_path, f"3,arousal,{text},"), "arousal", "ice") == "? <=9"
    assert told(read(tmp_path, f"3,arousal,{text},", "3,ICE,10,"), "arousal", "ice") == "? 10"


@pytest.mark.parametrize(
    ("scale", "value", "arousal", "ice", "pressure"),
    [
        *(("RASS", v, "0", "-", "-") for v in ("4", "+3", "+1", "0")),
        *(("RASS", v, "2", "-", "-") for v in ("-1", "-2", "-3", "\u22123", "-3 (opens eyes)", "RASS -2")),
        ("RASS", "-4", ">=3", "-", "-"),
        ("RASS", "-5", "4", "-", "-"),
        ("RASS", "-6", "?", "-", "-"),
        ("RASS", "qzx", "?", "-", "-"),
        ("AVPU", "A", "0", "-", "-"),
        ("AVPU", "C", "0", "<=9", "-"),
        ("AVPU", "V", "2", "-", "-"),
        ("AVPU", "P", ">=3", "-", "-"),
        ("AVPU", "U", "4", "-", "-"),
        ("GCS eye", "4", "0", "-", "-"),
        ("GCS eye", "3", "2", "-", "-"),
        ("GCS eye", "2", ">=3", "-", "-"),
        ("GCS eye", "1", "4", "-", "-"),
        ("GCS eye", "closed by swelling", "?", "-", "-"),
        ("GCS verbal", "5", "-", "-", "-"),
        ("GCS verbal", "4", "-", "<=9", "-"),
        ("GCS verbal", "3", "-", "<=6", "-"),
        ("GCS verbal", "2", "-", "<=6", "-"),
        ("GCS verbal", "1", "-", "?", "-"),
        ("GCS verbal", "1T", "-", "?", "-"),
        ("GCS motor", "6", "-", "-", "-"),
        ("GCS motor", "5", "?", "<=9", "-"),
        ("GCS motor", "4", "?", "<=9", "-"),
        ("GCS motor", "3", "-", "-", "1"),
        ("GCS motor", "2", "-", "-", "1"),
        ("GCS motor", "1", "4", "-", "-"),
        ("GCS", "15", "0", "-", "-"),
        ("GCS", "15/15", "0", "-", "-"),
        *(("GCS", v, "?", "-", "-") for v in ("14", "9")),
        *(("GCS", v, ">=3", "-", "-") for v in ("8", "6", "5", "4")),
        ("GCS", "3", "4", "-", "-"),
        ("GCS", "E3V4M6", "2", "<=9", "-"),
        ("GCS", "13 (E3 V4 M6)", "2", "<=9", "-"),
        ("SAS", "4", "0", "-", "-"),
        ("SAS", "3", ">=2", "-", "-"),
        ("SAS", "2", ">=3", "-", "-"),
        ("SAS", "1", "4", "-", "-"),
        ("SBS", "0", "0", "-", "-"),
        ("SBS", "-1", ">=2", "-", "-"),
        ("SBS", "-2", ">=3", "-", "-"),
        ("SBS", "-3", "4", "-", "-"),
        ("POSS", "1", "0", "-", "-"),
        ("POSS", "S", "0", "-", "-"),
        ("POSS", "2", "?", "-", "-"),
        ("POSS", "3", ">=2", "-", "-"),
        ("POSS", "4", ">=3", "-", "-"),
        ("CAM-ICU", "negative", "-", "-", "-"),
    ],
)
def test_what_a_scale_settles_and_what_it_bounds(tmp_path, scale, value, arousal, ice, pressure):
    record = read(tmp_path, f"3,{scale},{quoted(value)},")
    assert told(record, "arousal", "ice", "raised_pressure") == f"{arousal} {ice} {pressure}"


def test_the_deeper_of_a_word_and_a_scale_holds_and_the_eyes_settle_what_a_total_leaves_open(tmp_path):
    assert told(read(tmp_path, "3,arousal,awake,", "3,RASS,-3,"), "arousal") == "2"
    assert told(read(tmp_path, "3,arousal,to touch,", "3,RASS,0,"), "arousal") == "3"
    assert told(read(tmp_path, "3,RASS,-4,", "3,AVPU,U,"), "arousal") == "4"
    assert told(read(tmp_path, "3,GCS,14,", "3,GCS eye,4,"), "arousal") == "0"
    assert told(read(tmp_path, "3,arousal,qzx,", "3,RASS,-3,"), "arousal") == ">=2"
    assert told(read(tmp_path, "3,arousal,qzx,", "3,RASS,0,"), "arousal") == "?"


ICE = {
    "8": "8|8/10|8 of 10|8 out of 10|ICE=8|ICE: 8 (-2 writing)|8/10 (baseline)|9 -> 8|10→8",
    "10": "10/10 (baseline)|10",
    "0": "aphasic|mute|0/10",
    "<=8": "<=8|≤8|at most 8",
    "<=7": "<8|less than 8",
    ">=9": ">8",
    "?": "10 (unable to write)|10 (yesterday)|10/10 (yesterday)|10/10 qzx"
    "|8/11|12/10|11|7.5|8/9|unable|UTA|unable to assess|unable to perform|intubated|sedated|asleep|refused"
    "|language barrier|no interpreter|unknown|qzx|>10|8 qzx|no valorable|nicht beurteilbar|non évaluable",
    "-": "not done|NT|not tested|pending|",
}


@pytest.mark.parametrize(("code", "text"), [(code, t) for code, row in ICE.items() for t in row.split("|")])
def test_a_score_of_ten(tmp_path, code, text):
    assert told(read(tmp_path, f"3,ICE,{quoted(text)},"), "ice") == code


def test_sedated_is_told_to_the_graders(tmp_path):
    assert told(read(tmp_path, "3,ICE,sedated,"), "ice", "sedated") == "? 1"
    assert told(read(tmp_path, "3,arousal,sedated,"), "arousal", "sedated") == "? 1"


# ---------------------------------------------------------------- seizure, weakness, pressure, imaging

SEIZURE = {
    "0": "no|none|no seizure activity|denies seizures|no further seizures|seizure free|nein|ninguna",
    "1": "brief|resolves rapidly|seizure, resolved|tonic-clonic, resolved|self-limited seizure|stopped after lorazepam",
    ">=1": "seizure|sz|convulsion|fit|tonic-clonic|GTC|GTCS|focal|partial|absence|staring spell with EEG correlate"
    "|electrographic|nonconvulsive|NCS|yes|present|GTC x2|seizure qzx|convulsión|crisis|Krampfanfall|crise convulsive",
    "2": "status|status epilepticus|SE|NCSE|RSE|SRSE|> 5 min|prolonged|repetitive|recurrent without return|clusters"
    "|refractory|burst suppression for|estatus epiléptico|état de mal|focal then status epilepticus",
    "?": "seizure?|possible seizure|suspected|unknown|unable to assess|qzx",
    "-": "seizure precautions|seizure prophylaxis|h/o seizure|rule out seizure|EEG ordered|triphasic waves|slowing|LPDs"
    "|generalized periodic discharges|not done|",
}
MOTOR = {
    "0": "no|none|5/5|5/5 throughout|no focal weakness|full strength|moves all extremities|facial droop alone"
    "|pronator drift|4/5|generalized weakness|tremor|asterixis|ataxia",
    "1": "yes|hemiparesis|hemiplegia|left hemiparesis|left-sided weakness|arm drift with weakness|paraparesis"
    "|quadriparesis|0/5|1/5|2/5|2/5 left arm|facial droop with limb weakness|hemiparesia|Hemiparese"
    "|Halbseitenlähmung|hémiparésie|1",
    "?": "3/5|3|weak|unknown|unable to assess|possible hemiparesis|hemiparesis ruled out|qzx|5",
    "-": "6|not done|",
}
PRESSURE = {
    "0": "no|none|no papilledema|Frisen 0",
    "1": "yes|papilledema|Frisen 1|Frisen 2|swollen disc|blurred disc margins|posturing|decorticate|decerebrate"
    "|extensor|sixth nerve palsy|CN VI palsy|abducens palsy|lateral gaze palsy|esotropia new|Cushing triad"
    "|Cushing's reflex|herniation|papiledema|Stauungspapille|œdème papillaire",
    "?": "blown pupil|anisocoria|EVD placed|suspected|bradycardia|qzx|papilledema?",
}
EDEMA = {
    "0": "no|none|no acute intracranial abnormality|unremarkable|no edema seen on MRI",
    "1": "focal|local|vasogenic edema|focal edema left frontal",
    ">=1": "yes|edema|cerebral edema|mild edema qzx",
    "2": "diffuse|diffuse edema|diffuse edema on CT|global edema|effaced sulci|tight ventricles|loss of gray-white"
    "|slit ventricles|herniation|edema cerebral difuso|diffuses Hirnödem|œdème cérébral diffus",
    "?": "infarct|PRES|mass|unknown|suspected|qzx|edema?",
    "-": "ICH|SAH|edema with hemorrhage|pending|",
}


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        (name, code, text)
        for name, table in (
            ("seizure", SEIZURE),
            ("motor_weakness", MOTOR),
            ("raised_pressure", PRESSURE),
            ("cerebral_edema", EDEMA),
        )
        for code, row in table.items()
        for text in row.split("|")
    ],
)
def test_neurologic_signs(tmp_path, name, code, text):
    assert told(read(tmp_path, f"3,{name},{quoted(text)},"), name) == code


def test_signs_that_speak_of_others(tmp_path):
    assert told(read(tmp_path, "3,motor,6,"), "motor_weakness", "gcs_motor") == "- 6"
    assert told(read(tmp_path, "3,motor weakness,tremor,"), "headache_or_tremor") == "1"
    assert told(read(tmp_path, "3,papilledema,2,"), "papilledema", "raised_pressure") == "2 1"
    assert told(read(tmp_path, "3,papilledema,0,"), "papilledema", "raised_pressure") == "0 -"
    assert told(read(tmp_path, "3,papilledema,yes,"), "papilledema", "raised_pressure") == ">=1 1"
    assert told(read(tmp_path, "3,posturing,yes,"), "raised_pressure") == "1"
    assert told(read(tmp_path, "3,sixth nerve palsy,present,"), "raised_pressure") == "1"
    assert told(read(tmp_path, "3,cerebral edema,herniation,"), "cerebral_edema", "raised_pressure") == "2 1"
    assert told(read(tmp_path, "3,raised pressure,blown pupil,"), "cerebral_edema") == ">=1"
    assert told(read(tmp_path, "3,cerebral edema,ICH,"), "intracranial_hemorrhage") == "1"


# ---------------------------------------------------------------- vasopressors and other supports

PUMPS = ("norepinephrine", "epinephrine", "phenylephrine", "dopamine", "metaraminol")


@pytest.mark.parametrize(
    ("value", "unit", "code"),
    [
        ("5", "mL/h", ">0"),
        ("5", "ml/hr", ">0"),
        ("5", "cc/h", ">0"),
        ("0.03", "units/min", ">0"),
        ("5", "qzx", ">0"),
        ("5", "", ">0"),
        *((word, "", ">0") for word in ("running", "infusing", "on", "started", "restarted", "new bag", "rate change")),
        *((word, "", ">0") for word in ("titrating", "up", "down", "weaning", "continued", "yes", "läuft", "en cours")),
        *(
            (word, "", "0")
            for word in ("off", "stopped", "d/c", "dc'd", "discontinued", "held", "paused", "weaned off")
        ),
        *((word, "", "0") for word in ("0", "0.00", "no", "abgesetzt", "pausiert", "suspendido", "arrêté")),
        ("0", "mL/h", "0"),
        ("0 (restarted at 5)", "", "?"),
        ("running at 5 mL/h", "", ">0"),
        ("started 0.05 mcg/kg/min", "", ">0"),
        ("5 mcg/min qzx", "", ">0"),
        ("previously on", "", "?"),
        ("on hold", "", "0"),
        ("remains on hold", "", "?"),
        ("unknown", "", "?"),
        ("qzx", "", "?"),
        ("-5", "mL/h", "?"),
    ],
)
@pytest.mark.parametrize("name", PUMPS)
def test_a_running_pump_counts_whatever_its_unit(tmp_path, name, value, unit, code):
    record = read(tmp_path, f"3,{name},{value},{unit}")
    assert told(record, name) == code
    if name in record.course.values:
        assert record.course.positive(name).any() == (code == ">0")


@pytest.mark.parametrize(
    ("name", "analyte"),
    [
        *(
            (n, "norepinephrine")
            for n in ("noradrenaline", "levophed", "norepi", "norad", "Arterenol", "noradrenalina")
        ),
        *((n, "epinephrine") for n in ("adrenaline", "Suprarenin", "epi drip")),
        *((n, "phenylephrine") for n in ("neosynephrine", "Biorphen")),
        *((n, "angiotensin_ii") for n in ("angiotensin II", "AT-II", "Giapreza")),
        *((n, "metaraminol") for n in ("Aramine", "metaraminol")),
        *((n, "vasopressin") for n in ("AVP", "Vasostrict", "Pitressin", "argipressin", "Empressin", "vasopresina")),
        *((n, "terlipressin") for n in ("Terlivaz", "Glypressin")),
        *((n, "other_vasopressors") for n in ("ephedrine", "etilefrine", "methoxamine", "Akrinor", "cafedrine")),
    ],
)
def test_vasopressors_by_name(tmp_path, name, analyte):
    record = read(tmp_path, f"3,{name},running,")
    assert record.course.positive(analyte).any(), record.set_aside


@pytest.mark.parametrize(
    ("row", "analyte", "code"),
    [
        ("norepinephrine,5,ug/min", "norepinephrine", "5"),
        ("norepinephrine,0.1,mcg/kg/min", "norepinephrine", "7"),
        ("metaraminol,2,mg/h", "metaraminol", "2"),
        ("vasopressin,0.03,units/min", "vasopressin", "1"),
        ("vasopressin,1.8,units/hr", "vasopressin", "1"),
        ("vasopressin,0.03,", "vasopressin", "1"),
        ("vasopressin,2,mL/h", "vasopressin", "1"),
        ("vasopressin,running,", "vasopressin", "1"),
        ("vasopressin,off,", "vasopressin", "0"),
        ("vasopressin,0,units/min", "vasopressin", "0"),
        ("vasopressin,qzx,", "vasopressin", "?"),
        ("terlipressin,1,mg", "terlipressin", "1"),
        ("angiotensin II,20,ng/kg/min", "angiotensin_ii", "1"),
        ("ephedrine,5,mg/h", "other_vasopressors", "1"),
        ("other vasopressors,2,", "other_vasopressors", "2"),
        ("fluid boluses,NS bolus,", "fluid_boluses", ">=1"),
        ("fluid boluses,LR 500,", "fluid_boluses", ">=1"),
        ("fluid boluses,20,mL/kg", "fluid_boluses", ">=1"),
        ("fluid boluses,30,cc/kg", "fluid_boluses", ">=1"),
        ("bolus,500,mL", "fluid_boluses", ">=1"),
        ("fluid boluses,maintenance,", "fluid_boluses", "-"),
        ("fluid boluses,MIVF,", "fluid_boluses", "-"),
        ("fluid boluses,2,", "fluid_boluses", "2"),
        ("fluid boluses,qzx,", "fluid_boluses", "?"),
        ("dialysis,CRRT,", "dialysis", "?"),
        ("CRRT,running,", "dialysis", "1"),
    ],
)
def test_supports(tmp_path, row, analyte, code):
    assert told(read(tmp_path, f"3,{row}"), analyte) == code


def test_dobutamine_and_its_kin_are_known_and_no_vasopressor(tmp_path):
    for name in ("dobutamine", "milrinone", "methylene blue", "midodrine", "desmopressin"):
        record = read(tmp_path, f"3,{name},5,mcg/kg/min")
        assert not record.course.unread, name


def test_a_rate_that_is_known_says_more_than_running(tmp_path):
    for rows in (["running,", "5,ug/min"], ["5,ug/min", "running,"]):
        record = read(tmp_path, *(f"3,norepinephrine,{row}" for row in rows))
        assert told(record, "norepinephrine") == "5" and not record.set_aside


# ---------------------------------------------------------------- drugs


@pytest.mark.parametrize(
    ("row", "analyte", "code"),
    [
        ("tocilizumab,8,mg/kg", "tocilizumab", "560"),
        ("tocilizumab,given,", "tocilizumab", ">0"),
        ("tocilizumab,560,", "tocilizumab", ">0"),
        ("tocilizumab,1,vial", "tocilizumab", ">0"),
        ("tocilizumab,not given,", "tocilizumab", "0"),
        ("tocilizumab,qzx,", "tocilizumab", "?"),
        *((f"{n},560,mg", "tocilizumab", "560") for n in ("Actemra", "RoActemra", "Tyenne", "Tofidence", "Avtozma")),
        *((f"{n},560,mg", "tocilizumab", "560") for n in ("toci", "TCZ")),
        ("Sylvant,770,mg", "siltuximab", "770"),
        ("Kineret,100,mg", "anakinra", "100"),
        ("Jakafi,10,mg", "ruxolitinib", "10"),
        ("Gamifant,70,mg", "emapalumab", "70"),
        ("sarilumab,400,mg", "other_anticytokine", "1"),
        ("Decadron,10,mg", "dexamethasone", "10"),
        ("Solu-Medrol,1,g", "methylprednisolone", "1000"),
        ("hydrocortisone,100,mg", "hydrocortisone", "100"),
        ("Solu-Cortef,50,mg", "hydrocortisone", "50"),
        ("prednisolone,60,mg", "prednisone", "60"),
        ("Celestone,6,mg", "betamethasone", "6"),
        ("deflazacort,30,mg", "deflazacort", "30"),
        ("cortisone,25,mg", "cortisone", "25"),
        ("Kenalog IM,40,mg", "triamcinolone", "40"),
        *((f"{n},1000,mg", "antipyretic", "1") for n in ("acetaminophen", "paracetamol", "APAP", "Tylenol", "Ofirmev")),
        *((f"{n},400,mg", "antipyretic", "1") for n in ("ibuprofen", "metamizole", "dipyrone", "Novalgin", "Nolotil")),
        *((f"{n},50,mg", "antipyretic", "1") for n in ("naproxen", "diclofenac", "ketorolac")),
        ("paracetamol,15,mg/kg", "antipyretic", "1"),
        ("antipyretic,yes,", "antipyretic", "1"),
        ("aspirin,500,mg", "antipyretic", "1"),
        ("aspirin,81,mg", "antipyretic", "-"),
        ("aspirin,given,", "antipyretic", "?"),
        *((f"{n},300,ug", "gcsf", "1") for n in ("filgrastim", "Neupogen", "Zarxio", "Nivestym", "Releuko", "Granix")),
        *((f"{n},6,mg", "gcsf", "1") for n in ("Neulasta", "Fulphila", "Udenyca", "Ziextenzo", "Rolvedon", "Ryzneuta")),
        *((f"{n},30,g", "ivig", "30") for n in ("Gamunex-C", "Privigen", "Octagam", "Flebogamma", "Gammagard")),
        *((f"{n},10,g", "scig", "10") for n in ("Hizentra", "Cuvitru", "Xembify", "HyQvia", "Cutaquig")),
    ],
)
def test_drugs_by_name_and_brand(tmp_path, row, analyte, code):
    record = read(tmp_path, f"3,{row}")
    assert told(record, analyte) == code
    assert bool(record.set_aside) == (code == "?" and "qzx" in row)


def test_a_dose_per_kg_without_a_weight_was_given_and_its_amount_is_told_as_not_known(tmp_path):
    record = read(tmp_path, "3,tocilizumab,8,mg/kg", who=("1,CRP,5,mg/L",))
    assert told(record, "tocilizumab") == ">0" and record.course.positive("tocilizumab").any()
    assert not record.set_aside and any("not known" in note for note in record.notes)


def test_a_steroid_is_told_with_its_equivalence(tmp_path):
    record = read(tmp_path, "3,hydrocortisone,100,mg")
    assert any("dexamethasone" in note and "unverified" in note for note in record.notes)


# ---------------------------------------------------------------- numbers, flags, bounds, units


@pytest.mark.parametrize(
    ("row", "analyte", "code"),
    [
        *((f"neutrophils,{v},10*3/uL", "neutrophils", "0.4") for v in ("0.4 L", "0.4L", "0.4 (L)", "L 0.4", "0.4 LL")),
        *((f"neutrophils,{v},10*3/uL", "neutrophils", "0.4") for v in ("0.4 *", "0.4 H", "0.4 C", "0.4 !!", "0.4 A")),
        *(
            (f"neutrophils,{v},10*3/uL", "neutrophils", "0.4")
            for v in ("0.4↓", "↓ 0.4", "0.4 CRIT", "0.4 low", "LL 0.4")
        ),
        ("neutrophils,<0.5,10*9/L", "neutrophils", "<0.5"),
        ("neutrophils,less than 0.5,10*9/L", "neutrophils", "<0.5"),
        ("neutrophils,below 0.5,10*9/L", "neutrophils", "<0.5"),
        ("CRP,>300,mg/L", "crp", ">300"),
        ("CRP,> 300 H,mg/L", "crp", ">300"),
        ("CRP,4,", "crp", "?"),
        ("CRP,4,qzx", "crp", "?"),
        ("CRP,TNTC,mg/L", "crp", "?"),
        ("CRP,100,nmol/L", "crp", "10.5"),
        *(
            (f"platelets,{w},K/uL", "platelets", "-")
            for w in ("hemolyzed", "QNS", "clotted", "pending", "cancelled", "TNP")
        ),
        ("platelets,15.2,10^4/uL", "platelets", "152"),
        ("platelets,15.2,万/uL", "platelets", "152"),
        ("white cells,45,10^2/uL", "white_cells", "4.5"),
        ("white cells,4.5,M/uL", "white_cells", "?"),
        ("white cells,4.5,T/L", "white_cells", "?"),
        ("temperature,38.9 C,", "temperature", "38.9"),
        ("temperature,102 F,", "temperature", "38.8889"),
        ("temperature,T 39.4 (ax),", "temperature", "39.4"),
        ("temperature,Tmax 39.4,", "temperature", "39.4"),
        ("temperature,39.4 oral,", "temperature", "39.4"),
        ("temperature,98.6-101.2,degF", "temperature", "38.4444"),
        ("temperature,36.8 (39.2 at 04:00),", "temperature", "?"),
        ("temperature,39.2 → 36.8,", "temperature", "39.2"),
        ("temperature,febrile,", "temperature", ">38"),
        ("temperature,afebrile,", "temperature", "<38"),
        ("temperature,102,degC", "temperature", "?"),
        ("temperature,38.9,qzx", "temperature", "?"),
        ("temperature,qzx,", "temperature", "?"),
        ("temperature,not taken,", "temperature", "-"),
        ("T,5,cells/uL", "temperature", "?"),
        ("BP,118/72,mmHg", "systolic_bp", "118"),
        ("SBP,118/72 (87),", "systolic_bp", "118"),
        ("NIBP,BP 118/72,", "systolic_bp", "118"),
        ("SBP,15.7,kPa", "systolic_bp", "117.76"),
        ("SBP,unobtainable,", "systolic_bp", "?"),
        ("egfr,60,mL/min/1.73m2", "egfr", "60"),
        ("egfr,60,mL/min/1.73m2", "creatinine_clearance", "-"),
        ("EGFR,60,pg/mL", "egfr", "?"),
        ("D-dimer,500,ng/mL FEU", "d_dimer", "0.5"),
        ("D-dimer,500,ng/mL DDU", "d_dimer_ddu", "0.5"),
        ("D-dimer,500,ng/mL{DDU}", "d_dimer", "-"),
        ("AST,3,ukat/L", "ast", "180"),
        ("CAPD,9/32,", "capd", "9"),
        ("ICE,8,/10", "ice", "8"),
        ("ICE,8,points", "ice", "8"),
        ("ICE,8,qzx", "ice", "?"),
    ],
)
def test_numbers_with_what_stands_beside_them(tmp_path, row, analyte, code):
    assert told(read(tmp_path, f"3,{row}"), analyte) == code


def test_at_most_holds_its_own_value_and_below_does_not(tmp_path):
    for text, under, limit in (("<0.5", True, 0.5), ("<=0.5", False, 0.5), ("≤0.5", False, 0.5)):
        value = read(tmp_path, f"3,neutrophils,{text},10*9/L").course.values["neutrophils"][0, -1]
        assert (value <= limit) == under and value == pytest.approx(limit)
    for text, over in ((">38", True), (">=38", False)):
        value = read(tmp_path, f"3,temperature,{text},degC").course.values["temperature"][0, -1]
        assert (value >= 38) == over and value == pytest.approx(38)


def test_a_text_that_is_understood_in_part_is_a_bound_and_told(tmp_path):
    record = read(tmp_path, "3,arousal,o voice,", "3,oxygen device,NC qzx,")
    assert told(record, "arousal", "oxygen_device") == ">=2 >=1"
    assert [(s.analyte, s.patient) for s in record.set_aside] == [("arousal", 0), ("oxygen_device", 0)]
    assert all("partly understood" in s.what for s in record.set_aside)


def test_two_values_of_one_time_are_unknown_and_a_name_that_may_mean_it_is_not(tmp_path):
    record = read(tmp_path, "3,temperature,39.2,degC", "3,temperature,36.8,degC")
    assert told(record, "temperature") == "?" and {s.analyte for s in record.set_aside} == {"temperature"}
    assert all(s.patient == 0 for s in record.set_aside)
    record = read(tmp_path, "3,ICE,9,", "3,ICE,qzx,")
    assert told(record, "ice") == "?"


def test_words_of_the_users_mapping_come_first_alone_and_within_a_text(tmp_path):
    mapping = '[words.oxygen_device]\n"Brille 3" = 3\nqzx = 4\n[words.ice]\nvoll = 10\n'
    for text, code in (("Brille 3", "3"), ("qzx", "4"), ("qzx 5 L", "4"), ("nasal cannula", "1")):
        record = read(tmp_path, f"3,oxygen device,{text},", mapping=mapping)
        assert told(record, "oxygen_device") == code
    assert told(read(tmp_path, "3,ICE,voll,", mapping=mapping), "ice") == "10"


# ---------------------------------------------------------------- whatever is garbled

SEVERITY = {
    "oxygen_device": [t for c in "12345" for t in DEVICES[c].split("|")],
    "arousal": [t for c in "234" for t in AROUSAL[c].split("|")],
    "seizure": [t for c in ("1", ">=1", "2") for t in SEIZURE[c].split("|")],
    "motor_weakness": MOTOR["1"].split("|"),
    "raised_pressure": PRESSURE["1"].split("|"),
    "cerebral_edema": [t for c in ("1", ">=1", "2") for t in EDEMA[c].split("|")],
}


def value_of(meanings, name):
    for meaning in meanings or ():
        if meaning.analyte == name:
            return meaning.value, meaning.bound
    return math.nan, ""


@given(st.data())
def test_a_slip_of_the_hand_in_a_word_never_settles_less(data):
    """One letter left out, changed, doubled or swapped: the same, worse, a bound, or not understood."""
    name = data.draw(st.sampled_from(sorted(SEVERITY)))
    words = [t for t in SEVERITY[name] if len(names.normal(t)) >= 5 and not re.search(r"\d", t)]
    text = data.draw(st.sampled_from(words))
    at = data.draw(st.integers(0, len(text) - 2))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    garbled = data.draw(
        st.sampled_from(
            [
                text[:at] + text[at + 1 :],
                text[:at] + letter + text[at + 1 :],
                text[:at] + letter + text[at:],
                text[:at] + text[at + 1] + text[at] + text[at + 2 :],
            ]
        )
    )
    right, _ = value_of(read_words(name, text), name)
    value, bound = value_of(read_words(name, garbled), name)
    assert math.isnan(value) or bound == ">=" or value >= right, (text, garbled)


MEASURED = {  # value, unit, and the direction that is worse
    "temperature": ("38.9", "degC", 1),
    "systolic_bp": ("85", "mmHg", -1),
    "oxygen_flow": ("8", "L/min", 1),
    "fio2": ("60", "%", 1),
    "norepinephrine": ("0.1", "ug/kg/min", 1),
    "epinephrine": ("5", "ug/min", 1),
    "neutrophils": ("400", "cells/uL", -1),
    "platelets": ("14", "x10E3/uL", -1),
    "spo2": ("88", "%", -1),
    "ice": ("3", "points", -1),
}


def cell_of(name, value, unit):
    """Value of one entry, whether it is only a bound, or NaN where it is unread."""
    forget()
    log = Log("record.csv")
    cells = Cells("long table", TableMapping(), log, ".", {"": 0}, {"": 0.0})
    cells.weights = {0: 70.0}
    cells.take(Entry("", 3.0, name, value, unit, 1, "value"))
    cells.flag()
    cell = (0, 3.0, name)
    assert (cell in cells.unread) == (cell not in cells.cells)
    return (math.nan, False) if cell in cells.unread else (cells.cells[cell][0], cell in cells.above)


@given(st.sampled_from(sorted(MEASURED)), st.data())
def test_a_slip_of_the_hand_in_a_unit_never_settles_less(name, data):
    value, unit, worse = MEASURED[name]
    at = data.draw(st.integers(0, len(unit) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyzLGMU%/* "))
    garbled = data.draw(
        st.sampled_from(
            [unit[:at] + unit[at + 1 :], unit[:at] + letter + unit[at + 1 :], unit[:at] + letter + unit[at:]]
        )
    )
    right, _ = cell_of(name, value, unit)
    found, bound = cell_of(name, value, garbled)
    assert math.isnan(found) or bound or worse * (found - right) >= -1e-9, (unit, garbled, found)


# ---------------------------------------------------------------- the tables themselves


def _entries(topic):
    text = resources.files("vein2vein.io.record").joinpath("words", f"{topic}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_entry_says_where_it_is_from_and_means_something(topic):
    data = _entries(topic)
    assert data["source"] in all_sources()
    for analyte, entries in data.get("said", {}).items():
        seen = {}
        known = all_analytes()[analyte]
        for entry in entries:
            assert re.match(r"[RMD]\b", entry["mark"]), entry
            if "value" in entry:
                assert known.low <= entry["value"] <= known.high
            for word in entry["words"]:
                form = names.normal(word)
                assert seen.setdefault(form, id(entry)) == id(entry), f"{analyte}: {word!r} means two things"
    for analyte, entry in data.get("scale", {}).items():
        assert analyte in all_analytes() and entry["mark"]
    names_of = data.get("names", {})
    assert set(names_of) <= set(all_analytes())


def test_no_name_means_two_analytes():
    seen = {}
    for analyte, spelled in phrases().names.items():
        for name in spelled:
            form = names.normal(name)
            assert seen.setdefault(form, analyte) == analyte, name
            assert names.find_name(name) == analyte, name
