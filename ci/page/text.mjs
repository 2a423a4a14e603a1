// Checks of text, run inside the page. Each function is complete in itself, because the
// browser gets its source alone.

// Texts that lie on one another. A line of text is taken without the empty parts above
// and below its letters; what a scrolling element hides is not there.
export function overlappingTexts() {
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    const words = node.data.trim();
    if (!words || parent.closest("script, style, #tip") || !parent.checkVisibility({ visibilityProperty: true })) continue;
    const hidden = parent.closest(".scrolls")?.getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const slack = box.height * 0.18;
      const line = {
        node, words,
        left: Math.max(box.left, hidden?.left ?? -Infinity),
        right: Math.min(box.right, hidden?.right ?? Infinity),
        top: box.top + slack,
        bottom: box.bottom - slack,
      };
      if (line.right - line.left > 1) lines.push(line);
    }
  }
  lines.sort((one, other) => one.top - other.top);
  const findings = [];
  lines.forEach((line, index) => {
    for (let next = index + 1; next < lines.length && lines[next].top < line.bottom - 0.5; next += 1) {
      const other = lines[next];
      const wide = Math.min(line.right, other.right) - Math.max(line.left, other.left);
      if (other.node !== line.node && wide > 1) {
        findings.push(`"${line.words.slice(0, 40)}" and "${other.words.slice(0, 40)}" overlap by ${wide.toFixed(0)} px`);
      }
    }
  });
  return findings;
}

// Texts that are not wholly there: beyond the window, their figure, or an element that
// hides what is too much. Only `.scrolls` may have more than it shows, and not on paper.
export function cutTexts() {
  const findings = [];
  const width = document.documentElement.clientWidth;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    const words = node.data.trim().slice(0, 50);
    if (!words || parent.closest("script, style, #tip") || !parent.checkVisibility({ visibilityProperty: true })) continue;
    const scrolls = parent.closest(".scrolls");
    if (scrolls && getComputedStyle(scrolls).overflowX !== "visible") continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const frame = parent.closest("figure")?.getBoundingClientRect();
    for (const box of range.getClientRects()) {
      if (box.width === 0) continue;
      if (box.left < -0.5 || box.right > width + 0.5) {
        findings.push(`"${words}" goes from ${box.left.toFixed(0)} to ${box.right.toFixed(0)} px of ${width}`);
        break;
      }
      const out = frame && (box.left < frame.left - 0.5 || box.right > frame.right + 0.5 ||
        box.top < frame.top - 0.5 || box.bottom > frame.bottom + 0.5);
      if (out) {
        findings.push(`"${words}" leaves its figure`);
        break;
      }
    }
  }
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest("svg") || element.matches(".scrolls") || !element.checkVisibility()) continue;
    const { overflowX, overflowY } = getComputedStyle(element);
    const tooWide = overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1;
    const tooHigh = overflowY !== "visible" && element.scrollHeight > element.clientHeight + 1;
    if (tooWide || tooHigh) findings.push(`<${element.localName} class="${element.className}"> hides a part of itself`);
  }
  return findings;
}

// Texts of drawings that are hard to read on what lies under them: less than 4.5 to 1
// (WCAG 2, AA). Under a text is the last filled rectangle drawn before it that holds its
// middle, else the background of the page.
export function faintDrawnTexts() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colour = (css) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return { red, green, blue, alpha: alpha / 255 };
  };
  const over = (upper, lower, alpha) => {
    const mix = (name) => upper[name] * alpha + lower[name] * (1 - alpha);
    return { red: mix("red"), green: mix("green"), blue: mix("blue"), alpha: 1 };
  };
  const light = ({ red, green, blue }) => {
    const linear = (part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  };
  // As the browser paints a page that says nothing of its background.
  const canvasColour = colour("Canvas");
  const backgroundOf = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.unshift(colour(getComputedStyle(one).backgroundColor));
    return layers.reduce((lower, upper) => over(upper, lower, upper.alpha), canvasColour);
  };
  const findings = [];
  for (const text of document.querySelectorAll("svg text")) {
    if (!text.textContent.trim() || !text.checkVisibility()) continue;
    const box = text.getBoundingClientRect();
    const x = box.x + box.width / 2;
    const y = box.y + box.height / 2;
    let ground = backgroundOf(text.ownerSVGElement.parentElement);
    for (const shape of text.ownerSVGElement.querySelectorAll("rect")) {
      const under = shape.getBoundingClientRect();
      const before = shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING;
      const holds = under.left <= x && x <= under.right && under.top <= y && y <= under.bottom;
      const { fill, fillOpacity, opacity } = getComputedStyle(shape);
      if (!before || !holds || fill === "none") continue;
      const paint = colour(fill);
      ground = over(paint, ground, paint.alpha * Number(fillOpacity) * Number(opacity));
    }
    const style = getComputedStyle(text);
    const paint = colour(style.fill);
    const seen = over(paint, ground, paint.alpha * Number(style.fillOpacity) * Number(style.opacity));
    const [dark, bright] = [light(seen), light(ground)].sort((one, other) => one - other);
    const ratio = (bright + 0.05) / (dark + 0.05);
    if (ratio < 4.5) findings.push(`"${text.textContent.trim().slice(0, 40)}" has a contrast of ${ratio.toFixed(1)} to 1`);
  }
  return findings;
}
