//! A real browser looks at the page: headless Chromium, on this machine or installed for this.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use std::{env, thread};

use serde_json::Value;

/// How long the browser may take.
const LIMIT: Duration = Duration::from_secs(90);

/// Looks at the page as people of both schemes do, on a wide and on a narrow window; what is meant
/// for the browser's eyes comes back in the page itself.
const EYES: &str = r#"
<script>
addEventListener('load', () => {
  const faults = [];
  const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const part = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  let texts = 0;
  for (const node of document.querySelectorAll('h1, h2, h3, p, th, td, dt, dd, code, label, svg text')) {
    if (!node.getClientRects().length || !node.textContent.trim()) continue;
    texts += 1;
    const style = getComputedStyle(node);
    const own = light(parse(node instanceof SVGElement ? style.fill : style.color));
    const back = light(behind(node));
    const contrast = (Math.max(own, back) + 0.05) / (Math.min(own, back) + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${node.textContent.slice(0, 40)}`);
    if (node instanceof SVGElement) {
      const box = node.getBBox(), view = node.ownerSVGElement.viewBox.baseVal;
      if (box.x < -1 || box.y < -1 || box.x + box.width > view.width + 1 || box.y + box.height > view.height + 1)
        faults.push(`outside of its drawing: ${node.textContent}`);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth + 1)
    faults.push(`${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
  const shown = [...document.querySelectorAll('.panel')].filter(it => getComputedStyle(it).display !== 'none');
  if (shown.length !== 1) faults.push(`${shown.length} lags are shown at once`);
  const before = document.querySelectorAll('.mark.s1').length;
  document.getElementById('show1').click();
  const still = [...document.querySelectorAll('main > *:not(nav) .card > svg .s1')]
    .filter(it => getComputedStyle(it).display !== 'none');
  if (!before || still.length) faults.push(`${still.length} of a hidden target are shown`);
  const found = {
    faults, texts,
    svgs: document.querySelectorAll('svg[role=img][aria-label]').length,
    loaded: performance.getEntriesByType('resource').length,
    dark: light(parse(getComputedStyle(document.body).backgroundColor)) < 0.2,
  };
  const out = document.createElement('pre');
  out.id = 'found';
  out.textContent = '[[' + JSON.stringify(found) + ']]';
  document.body.append(out);
});
</script>
"#;

/// Fails if a browser finds fault with the page; skipped, with a word, where there is none.
pub(crate) fn look(page: &str, words: &[&str]) {
    let Some(browser) = browser() else {
        println!("skipped: no Chromium here, and none can be installed");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("page.html");
    fs::write(&file, page).unwrap();
    // As it is: nothing to complain about, nothing fetched.
    let output = run(&browser, place.path(), &file, "1280,1000", false);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(!complaints.contains("CONSOLE"), "{complaints}");
    let shown = String::from_utf8_lossy(&output.stdout);
    for word in words {
        assert!(shown.contains(word), "{word} is not shown");
    }

    // The policy of the page keeps scripts out, as it should; the eyes are one.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    assert!(page.contains(policy));
    let watched = page.replace(
        policy,
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    );
    fs::write(&file, watched.replace("</body>", &format!("{EYES}</body>"))).unwrap();
    for (window, dark) in [("1280,1000", false), ("1280,1000", true), ("520,900", true)] {
        let output = run(&browser, place.path(), &file, window, dark);
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text
            .rsplit_once("[[")
            .and_then(|(_, rest)| rest.split_once("]]"));
        let found = found
            .unwrap_or_else(|| panic!("nothing was found: {output:?}"))
            .0;
        let found = found
            .replace("&amp;", "&")
            .replace("&lt;", "<")
            .replace("&gt;", ">");
        let found: Value = serde_json::from_str(&found).unwrap();
        let case = format!("{window} dark: {dark}: {found}");
        assert_eq!(found["faults"], serde_json::json!([]), "{case}");
        assert_eq!(found["dark"], dark, "{case}");
        assert_eq!(found["loaded"], 0, "{case}");
        assert!(found["texts"].as_u64().unwrap() > 100, "{case}");
        assert!(found["svgs"].as_u64().unwrap() >= 8, "{case}");
    }
}

fn run(browser: &Path, place: &Path, file: &Path, window: &str, dark: bool) -> Output {
    let profile = tempfile::tempdir_in(place).unwrap();
    let mut child = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={window}"))
        // Blink's PreferredColorScheme: 0 is dark, 1 is light.
        .arg(format!(
            "--blink-settings=preferredColorScheme={}",
            u8::from(!dark)
        ))
        .arg(format!("file://{}", file.display()))
        .stdout(fs::File::create(place.join("stdout")).unwrap())
        .stderr(fs::File::create(place.join("stderr")).unwrap())
        .spawn()
        .unwrap();
    let since = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if since.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("the browser has not ended within {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(20));
    };
    Output {
        status,
        stdout: fs::read(place.join("stdout")).unwrap(),
        stderr: fs::read(place.join("stderr")).unwrap(),
    }
}

/// Chromium on `PATH`, or from the system's packages where they can be installed.
fn browser() -> Option<PathBuf> {
    find().or_else(|| {
        println!("installing Chromium for the test");
        let install = [
            "install",
            "-y",
            "--no-install-recommends",
            "chromium",
            "fonts-dejavu-core",
        ];
        for command in [["apt-get"].as_slice(), &["sudo", "-n", "apt-get"]] {
            let run = |arguments: &[&str]| {
                let (program, first) = command.split_first()?;
                let mut command = Command::new(program);
                command.args(first).args(arguments);
                let output = command.env("DEBIAN_FRONTEND", "noninteractive").output();
                output.ok().filter(|output| output.status.success())
            };
            if run(&["update"]).and_then(|_| run(&install)).is_some() {
                break;
            }
        }
        find()
    })
}

fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let files = names
        .iter()
        .flat_map(|name| folders.iter().map(move |it| it.join(name)));
    // Some systems have a stand-in that only says how to get the real one.
    let works = |file: &PathBuf| {
        let output = Command::new(file).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    files.into_iter().filter(|file| file.is_file()).find(works)
}
