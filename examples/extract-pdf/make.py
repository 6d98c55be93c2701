"""Makes a folder of small PDF documents: good ones, one damaged, one that is no PDF, and one that never comes to an end."""
import pathlib


def document(objects):
    """The objects with the table of where they are, and the trailer."""
    text = "%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = len(text)
    entries = "".join(f"{place:010d} 00000 n \n" for place in places)
    text += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{entries}"
    return text + f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"


def stream(text, dictionary=""):
    return f"<< {dictionary} /Length {len(text)} >>\nstream\n{text}\nendstream"


def page(resources):
    return f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << {resources} >> >>"


head = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"]


def good(line):
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    return document(head + [page("/Font << /F1 5 0 R >>"), stream(f"BT /F1 12 Tf 72 720 Td ({line}) Tj ET"), font])


def endless(depth):
    """A form that draws ten forms that draw ten forms …"""
    forms = []
    for level in range(depth):
        last = level == depth - 1
        resources = "" if last else f"/XObject << /X {6 + level} 0 R >>"
        kind = f"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << {resources} >>"
        forms.append(stream("0 0 1 1 re f" if last else "/X Do " * 10, kind))
    return document(head + [page("/XObject << /X 5 0 R >>"), stream("/X Do")] + forms)


folder = pathlib.Path(__file__).parent / "out-documents"
folder.mkdir(exist_ok=True)
for number in range(1, 21):
    (folder / f"report-{number:02d}.pdf").write_text(good(f"Report {number}: all is well."))
(folder / "damaged.pdf").write_text(good("Half of it is missing.")[:200])
(folder / "letter.pdf").write_text("Dear reader, this is no PDF.\n")
(folder / "endless.pdf").write_text(endless(12))
print(f"{len(list(folder.iterdir()))} documents in {folder}")
