// What is asked of the page. Each check takes an open page and returns its findings as
// sentences; none is good. Text is measured in text.mjs.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cutTexts, faintDrawnTexts, overlappingTexts } from "./text.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Marks of one figure that are pointed at: the first, the last and one between.
const POINTED_AT = 3;
// The page answers for the nearest mark within a finger's width.
const FINGER = 12;

export const CHECKS = {
  "nothing on the console": async ({ told }) => told.console,
  "no request": async ({ told }) => told.requests,
  "figures": ({ page }) => page.evaluate(figuresWithout),
  "no sideways scrolling": ({ page }) => page.evaluate(sideways),
  "no text is cut": ({ page }) => page.evaluate(cutTexts),
  "no text on text": ({ page }) => page.evaluate(overlappingTexts),
  "contrast of drawn text": ({ page }) => page.evaluate(faintDrawnTexts),
  "axe-core": accessibility,
  "marks tell their values": tooltips,
};

export const openAllDetails = (page) =>
  page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));

// Figures without what each must have: marks in sight, words instead, numbers.
function figuresWithout() {
  const findings = [];
  const figures = [...document.querySelectorAll("figure")];
  if (figures.length === 0) findings.push("there is no figure");
  for (const figure of figures) {
    const name = figure.id || figure.querySelector("figcaption")?.textContent.trim().slice(0, 40);
    const box = figure.getBoundingClientRect();
    const drawings = [...figure.querySelectorAll("svg[role=img]")].filter((svg) => svg.checkVisibility());
    if (drawings.length === 0) findings.push(`${name}: no drawing with role="img" is in sight`);
    for (const svg of drawings) {
      const marks = [...svg.querySelectorAll(".mark")].map((mark) => mark.getBoundingClientRect());
      const seen = marks.filter((mark) => mark.width > 0 || mark.height > 0);
      if (seen.length === 0) findings.push(`${name}: a drawing has no mark`);
      const outside = seen.filter(
        (mark) =>
          mark.left < box.left - 1 || mark.right > box.right + 1 ||
          mark.top < box.top - 1 || mark.bottom > box.bottom + 1,
      );
      if (outside.length > 0) findings.push(`${name}: ${outside.length} marks are outside the figure`);
      const told = svg.getAttribute("aria-labelledby")?.split(/\s+/) ?? [];
      const words = told.map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
      const label = `${svg.getAttribute("aria-label") ?? ""} ${words}`.trim();
      if (label.split(/\s+/).length < 5) findings.push(`${name}: "${label}" is no text alternative`);
    }
    if (!figure.querySelector("table tbody tr td")) findings.push(`${name}: no table of its numbers`);
    if (!figure.querySelector("figcaption")?.textContent.trim()) findings.push(`${name}: no caption`);
  }
  return findings;
}

function sideways() {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth ? [`the page is ${scrollWidth} px wide, the window ${clientWidth} px`] : [];
}

async function accessibility({ page }) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, impact, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id} (${impact}): ${html.slice(0, 120)} ${failureSummary.split("\n")[1]?.trim() ?? ""}`),
    );
}

// Points at some marks of each figure; the tip must be in sight and tell a mark that is
// there. Paper cannot be pointed at.
async function tooltips({ page, view }) {
  if (view.media === "print") return [];
  const findings = [];
  for (const drawing of await page.locator("figure svg[role=img]:visible").all()) {
    const marks = await drawing.locator(".mark").all();
    const places = [...new Set([0, marks.length >> 1, marks.length - 1])].slice(0, POINTED_AT);
    for (const mark of places.map((place) => marks[place]).filter(Boolean)) {
      await mark.evaluate((element) => element.scrollIntoView({ block: "center", inline: "center" }));
      const at = await mark.evaluate((element) => {
        const box = element.getBoundingClientRect();
        return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
      });
      await page.mouse.move(1, 1);
      await page.mouse.move(at.x, at.y);
      const wrong = await mark.evaluate(whatTheTipLacks, { at, finger: FINGER });
      if (wrong) findings.push(wrong);
    }
  }
  await page.mouse.move(1, 1);
  return findings;
}

function whatTheTipLacks(mark, { at, finger }) {
  const tip = document.getElementById("tip");
  const plain = (text) => (text ?? "").replace(/\s+/g, " ").trim();
  const wanted = plain(mark.dataset.tip);
  if (!wanted) return `a mark has nothing to tell: ${mark.outerHTML.slice(0, 100)}`;
  if (!tip?.checkVisibility()) return `no tip is shown for: ${wanted.slice(0, 60)}`;
  const near = [...mark.ownerSVGElement.querySelectorAll("[data-tip]")].filter((other) => {
    const box = other.getBoundingClientRect();
    const x = Math.max(box.left - at.x, 0, at.x - box.right);
    const y = Math.max(box.top - at.y, 0, at.y - box.bottom);
    return Math.hypot(x, y) <= finger;
  });
  const shown = plain(tip.textContent);
  if (!near.some((other) => plain(other.dataset.tip) === shown)) {
    return `the tip says "${shown.slice(0, 60)}" where a mark says "${wanted.slice(0, 60)}"`;
  }
  const box = tip.getBoundingClientRect();
  const inSight = box.left >= 0 && box.top >= 0 && box.right <= innerWidth + 1 && box.bottom <= innerHeight + 1;
  return inSight ? null : `the tip is cut by the window: ${shown.slice(0, 60)}`;
}
