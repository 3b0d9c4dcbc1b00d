"""The shopper: buys something several times a second and says how it went."""
import itertools
import os
import time
import urllib.error
import urllib.request

URL = os.environ["STOREFRONT"]
PAUSE = float(os.environ["PAUSE_SECONDS"])

bought = failed = 0
for product in itertools.cycle(["tea", "coffee", "mug"]):
    try:
        with urllib.request.urlopen(f"{URL}/buy/{product}", timeout=5) as answer:
            bought += 1
            text = answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        failed += 1
        text = error.read().decode().strip()
    except OSError as error:
        failed += 1
        text = str(error)
    print(f"{time.time():.3f} bought={bought} failed={failed} {text}", flush=True)
    time.sleep(PAUSE)
