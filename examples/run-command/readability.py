"""A stage in Python: one line of JSON in, one line of JSON out. Counts sentences, words and long words."""
import json
import re
import sys

for line in sys.stdin:
    request = json.loads(line)
    text = request["value"]
    words = re.findall(r"\w+", text)
    if not words:
        answer = {"fail": "no words in the text"}
    else:
        sentences = max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
        long_words = sum(len(word) > 6 for word in words)
        # Björnsson's readability index (LIX).
        index = len(words) / sentences + 100 * long_words / len(words)
        answer = {"value": {"words": len(words), "sentences": sentences, "lix": round(index, 1)}}
    print(json.dumps({"id": request["id"], **answer}), flush=True)
