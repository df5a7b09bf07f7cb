"""Names that are not known: which graded sign they may hide, and which are of no concern."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.analytes import all_analytes
from vein2vein.io.record.pointing import points_to

PRESSOR = ("norepinephrine", "other_vasopressors")


@pytest.mark.parametrize(
    ("name", "unit", "value", "place", "expected"),
    [
        # one slip of the hand, or two in a long name
        ("norepinefrine", "", "4", "", ("norepinephrine",)),
        ("norepi nephrine", "", "4", "", ("norepinephrine",)),
        ("temprature", "", "38.9", "", ("temperature",)),
        ("Tempersture (°C)", "", "38.9", "", ("temperature",)),
        ("tocilizumbab", "mg/kg", "8", "", ("tocilizumab",)),
        ("oxygen devcie", "", "4", "", ("oxygen_device",)),
        ("lSpO2", "%", "92", "", ("spo2",)),
        ("Fi02", "%", "60", "", ("fio2",)),
        ("siezure", "", "yes", "", ("seizure",)),
        # a known name within a longer one
        ("Arterial Line Systolic", "mmHg", "100", "", ("systolic_bp",)),
        ("Acetaminophen 500 MG Oral Tablet", "mg", "500", "CM", ("antipyretic",)),
        ("tocilizumab IV via line 2", "mg", "560", "", ("tocilizumab",)),
        # the unit
        ("xqz", "mcg/kg/min", "0.1", "", PRESSOR),
        ("xqz", "µg/kg/min", "0.1", "", PRESSOR),
        ("xqz", "mL/h", "5", "", PRESSOR),
        ("xqz", "mg/hr", "2", "", PRESSOR),
        ("xqz", "units/min", "0.03", "", ("vasopressin",)),
        ("xqz", "L/min", "3", "", ("oxygen_flow", "oxygen_device")),
        ("xqz", "Cel", "38.9", "", ("temperature",)),
        ("xqz", "°F", "102", "", ("temperature",)),
        ("xqz", "mm[Hg]", "78", "", ("systolic_bp",)),
        ("xqz", "mg/kg", "8", "", ("tocilizumab", "dexamethasone")),
        # the place
        ("xqz", "", "", "MedicationAdministration", ("tocilizumab", "dexamethasone", "norepinephrine")),
        ("xqz", "%", "60", "vital-signs", ("fio2",)),
        # what the value looks like
        ("xqz", "", "nasal cannula", "", ("oxygen_device",)),
        ("xqz", "", "NC 2 L", "", ("oxygen_device",)),
        ("xqz", "", "to voice", "", ("arousal",)),
        ("xqz", "", "tonic-clonic", "", ("seizure",)),
        ("xqz", "", "left hemiparesis", "", ("motor_weakness",)),
        ("xqz", "", "none", "", ()),
        ("xqz", "", "normal", "", ()),
        ("xqz", "", "118/72", "", ("systolic_bp",)),
        ("xqz", "", "8/10", "", ("ice",)),
        ("xqz", "", "8", "", ()),  # a number alone is no score ...
        ("ICE-Scroe", "", "8", "", ("ice",)),  # ... unless the name is near to one
        ("bedside encephalopathy", "", "8", "", ("ice", "capd")),
        ("12", "", "8", "", ("ice", "capd")),
        ("xqz", "", "38.9", "", ("temperature",)),
        # names that mean two things: only the unit tells
        ("NA", "ug/min", "5", "", PRESSOR),
        ("NAD", "mcg/kg/min", "0.1", "", PRESSOR),
        ("PE", "mcg/min", "40", "", PRESSOR),
        ("NA", "mmol/L", "140", "", ()),
        ("RR", "/min", "18", "", ()),
        ("AF", "", "yes", "", ()),
    ],
)
def test_what_an_unknown_name_may_hide(name, unit, value, place, expected):
    assert points_to(name, unit, value, place) == expected


ORDINARY = """
Rash;;no / COPD;;yes / Mass;;no / Gait;;steady / Bands;%;4 / Rest;;yes / Diet;;soft / Stats;;yes
Sodium;mmol/L;140 / Potassium, serum;mmol/L;4.1 / Na;mmol/L;139 / K;mmol/L;4 / Mg;mg/dL;2 / Ca;mg/dL;9
Chloride;mmol/L;101 / Bicarbonate;mmol/L;24 / Glucose;mg/dL;110 / POC glucose;mg/dL;140 / BUN;mg/dL;20
Urea;mmol/L;6 / Uric acid;mg/dL;5 / Phosphate;mg/dL;3 / Albumin;g/dL;3.4 / Lactate;mmol/L;1.1 / Troponin I;ng/L;4
BNP;pg/mL;30 / Procalcitonin;ng/mL;0.2 / Hematocrit;%;30 / MCV;fL;90 / RDW;%;13 / Monocytes;%;5
Eosinophils;10*9/L;0.1 / PT;s;12 / Alkaline phosphatase;U/L;80 / GGT;U/L;40 / CK;U/L;90 / creatine kinase;U/L;90
Lipase;U/L;30 / Haptoglobin;g/L;1 / Transferrin;g/L;2 / Hemoglobin A1c;%;5 / Creatinine, random urine;mg/dL;80
Specific gravity;;1.015 / pH;;7.4 / pCO2;mmHg;40 / PaO2;mmHg;80 / Base excess;mmol/L;-1 / Osmolality;mosm/kg;290
Ammonia;umol/L;30 / Heart Rate;/min;92 / Pulse;bpm;88 / HR;;90 / Respiratory rate;/min;18 / RR;/min;18
Diastolic BP;mmHg;70 / DBP;mmHg;66 / CVP;mmHg;8 / Pain score;;3 / Braden;;18 / Height;cm;170 / BMI;kg/m2;24
Urine output;mL/h;60 / Urine;mL;300 / Intake;mL;900 / PEEP;cmH2O;5 / Tidal volume;mL;420 / Cardiac output;L/min;5
Minute ventilation;L/min;7 / Temperature site;;oral / Temp source;;axillary / Pupils;;PERRL / Nausea;;1
Bristol stool;;4 / CAM-ICU;;negative / ECG rhythm;;sinus / Fall risk;;6 / Levetiracetam;mg;500 / Aciclovir;mg;400
Cefepime;g;2 / Allopurinol;mg;300 / Ondansetron;mg;8 / Pantoprazole;mg;40 / Fluconazole;mg;200 / Bactrim;mg;800
Propofol;mcg/kg/min;20 / Fentanyl;mcg/h;50 / Dexmedetomidine;mcg/kg/h;0.4 / Insulin;units/h;2 / Heparin;units/h;900
Furosemide;mg/h;5 / Dobutamine;mcg/kg/min;5 / Milrinone;mcg/kg/min;0.3 / Normal saline;mL/h;100 / NaCl 0.9 %;mL/h;83
Lactated Ringer;mL/h;75 / TPN;mL/h;60 / Potassium chloride;mL/h;10 / Nicardipine;mg/h;5
Racemic epinephrine nebulized;mg;11 / Dexamethasone eye drops;;1 / Budesonide;mg;3 / Fludrocortisone;mg;0.1
Midodrine;mg;10 / Methylene blue;mg/kg;1 / Metoprolol;mg;25 / Lisinopril;mg;10 / Atorvastatin;mg;20
Amlodipine;mg;5 / Apixaban;mg;5 / Amoxicillin;mg;500 / Ciprofloxacin;mg;500 / Omeprazole;mg;20 / Rituximab;mg;700
Vincristine;mg;2
"""


@pytest.mark.parametrize("row", [one.strip() for line in ORDINARY.splitlines() for one in line.split(" / ") if one])
def test_the_usual_names_that_no_grade_reads_point_nowhere(row):
    name, unit, value = row.split(";")
    assert points_to(name, unit, value) == ()


@given(st.text(max_size=40), st.text(max_size=10), st.text(max_size=10), st.text(max_size=10))
def test_any_name_points_to_analytes_or_nowhere(name, unit, value, place):
    assert set(points_to(name, unit, value, place)) <= set(all_analytes())


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("norepinephrine 4", ("norepinephrine",)),
        ("Levophed 4 mcg/min", ("norepinephrine",)),
        ("tocilizumab 560 mg", ("tocilizumab",)),
        ("cefepime 2 g", ()),
        ("we spoke of tocilizumab with the family today", ()),  # a sentence
    ],
)
def test_a_drug_in_the_value_of_a_name_that_is_not_known_points(value, found):
    assert points_to("xqzw", "", value) == found
