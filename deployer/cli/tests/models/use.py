"""Uses a deployment as people do: stores a photo, reads it twice, logs in and looks at the charts, so that
its services call what they call. Usage: use.py FRONT-END MANAGER PASSWORD
"""

import http.cookiejar
import re
import sys
import urllib.parse
import urllib.request

FORM = b"""--x\r
Content-Disposition: form-data; name="key"\r
\r
photo\r
--x\r
Content-Disposition: form-data; name="file"; filename="photo.png"\r
Content-Type: image/png\r
\r
\x89PNG\r\n\x1a\n\r
--x--\r
"""


def main(front_end, manager, password):
    assert front_end.startswith("http://127.") and manager.startswith("http://127.")
    upload = urllib.request.Request(f"{front_end}/api/upload", FORM)
    upload.add_header("content-type", "multipart/form-data; boundary=x")
    urllib.request.urlopen(upload, timeout=30).read()
    for _ in range(2):
        urllib.request.urlopen(f"{front_end}/api/key/photo", b"", timeout=30).read()
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(cookies)
    page = browser.open(f"{manager}/login", timeout=30).read().decode()
    token = re.search(r'name="csrf-token" value="([^"]+)"', page)[1]
    form = urllib.parse.urlencode({"csrf-token": token, "password": password}).encode()
    browser.open(f"{manager}/login", form, timeout=30).read()
    charts = browser.open(f"{manager}/live/charts", timeout=30)
    assert charts.status == 200 and charts.url.endswith("/live/charts"), charts.url


if __name__ == "__main__":
    main(*sys.argv[1:])
