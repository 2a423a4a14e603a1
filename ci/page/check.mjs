// Opens a report in headless Chromium as readers see it, and holds it to checks.mjs.
//
//   node check.mjs SCREENSHOTS REPORT.html…
//
// Every view is a fresh page: three widths, light and dark, and paper. At the end each
// check must find what broken.mjs does to the first page: one that cannot fail proves nothing.
import { mkdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { CHECKS, openAllDetails } from "./checks.mjs";
import { BROKEN } from "./broken.mjs";

const WIDTHS = [400, 1000, 1800];
// What is left of A4 between margins of 1 cm, at 96 pixels to the inch.
const PAPER_WIDTH = 718;
const QUIET = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

const [screenshots, ...files] = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node check.mjs SCREENSHOTS REPORT.html...");
  process.exit(64);
}
mkdirSync(screenshots, { recursive: true });

const views = [
  ...["light", "dark"].flatMap((scheme) => WIDTHS.map((width) => ({ scheme, width, media: "screen" }))),
  { scheme: "light", width: PAPER_WIDTH, media: "print" },
];
const nameOf = (view) => (view.media === "print" ? "print" : `${view.scheme}-${view.width}`);

// Opens a file in a view; `told` collects what it says and asks for.
async function open(browser, file, view) {
  const address = pathToFileURL(resolve(file)).href;
  const context = await browser.newContext({
    viewport: { width: view.width, height: 900 },
    colorScheme: view.scheme,
    offline: true,
  });
  const told = { console: [], requests: [] };
  await context.route("**/*", (route) => {
    const url = route.request().url();
    if (url === address) return route.continue();
    told.requests.push(url);
    return route.abort();
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) told.console.push(message.text());
  });
  page.on("pageerror", (error) => told.console.push(error.message));
  await page.emulateMedia({ media: view.media, colorScheme: view.scheme });
  await page.goto(address);
  return { context, page, view, told };
}

async function check(browser, file, view) {
  const opened = await open(browser, file, view);
  const picture = `${basename(dirname(resolve(file)))}-${nameOf(view)}.png`;
  await opened.page.screenshot({ path: join(screenshots, picture), fullPage: true });
  await openAllDetails(opened.page);
  const findings = [];
  for (const [name, find] of Object.entries(CHECKS)) {
    for (const finding of await find(opened)) findings.push(`${name}: ${finding}`);
  }
  await opened.context.close();
  return findings;
}

// How often the check of `broken` finds something before and after the page is broken.
async function findsBroken(browser, broken) {
  const opened = await open(browser, files[0], { scheme: "light", width: 1000, media: "screen", ...broken.view });
  await openAllDetails(opened.page);
  const find = CHECKS[broken.check];
  const before = (await find(opened)).length;
  await broken.breakIt(opened.page);
  const after = (await find(opened)).length;
  await opened.context.close();
  return { before, after };
}

const browser = await chromium.launch({
  executablePath: process.env.CHROME_PATH,
  headless: true,
  args: QUIET,
  timeout: 60_000,
});
let failures = 0;
try {
  console.log(`Chromium ${browser.version()}`);
  for (const [file, view] of files.flatMap((file) => views.map((view) => [file, view]))) {
    const findings = await check(browser, file, view);
    console.log(`${file}, ${nameOf(view)}: ${findings.length} findings`);
    for (const finding of findings) console.log(`  ${finding}`);
    failures += findings.length;
  }
  for (const broken of BROKEN) {
    const { before, after } = await findsBroken(browser, broken);
    if (after > before) {
      console.log(`broken on purpose, found by ${broken.check}: ${broken.what}`);
    } else {
      console.log(`NOT FOUND by ${broken.check}: ${broken.what}`);
      failures += 1;
    }
  }
  const untested = Object.keys(CHECKS).filter((name) => !BROKEN.some((broken) => broken.check === name));
  for (const name of untested) console.log(`NEVER BROKEN: ${name}`);
  failures += untested.length;
} finally {
  await browser.close();
}
console.log(failures === 0 ? "the pages are sound" : `${failures} findings; screenshots: ${screenshots}`);
process.exit(failures === 0 ? 0 : 1);
