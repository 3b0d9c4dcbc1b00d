"""Ends with 0 when OWN answered five times and OTHER never did, with 3 when OTHER answered: identity.py OWN OTHER."""
import sys
import time
import urllib.request


def answers(host):
    try:
        with urllib.request.urlopen("http://" + host, timeout=3) as answer:
            return answer.status == 200
    except OSError:
        return False


own = 0
deadline = time.time() + 60
while own < 5 and time.time() < deadline:
    if answers(sys.argv[2]):
        print("answered by", sys.argv[2], flush=True)
        sys.exit(3)
    own += answers(sys.argv[1])
    time.sleep(0.05)
sys.exit(0 if own == 5 else 1)
