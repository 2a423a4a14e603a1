// What is done to a page so that a check must find it.

// A function for the page, from the source of one that gets a drawing in sight.
const drawing = (change) => (page) =>
  page.evaluate((source) => {
    const svg = [...document.querySelectorAll("figure svg[role=img]")].find((one) => one.checkVisibility());
    (0, eval)(source)(svg);
  }, `(${change})`);

export const BROKEN = [
  {
    check: "nothing on the console",
    what: "an error on the console",
    breakIt: (page) => page.evaluate(() => console.error("broken on purpose")),
  },
  {
    check: "nothing on the console",
    what: "an exception",
    breakIt: async (page) => {
      await page.evaluate(() => void setTimeout(() => { throw new Error("broken on purpose"); }));
      await page.waitForTimeout(50);
    },
  },
  {
    check: "no request",
    what: "an image from elsewhere",
    breakIt: (page) =>
      page.evaluate(
        () =>
          new Promise((done) => {
            const image = new Image();
            image.onerror = done;
            image.src = "http://elsewhere.invalid/mark.png";
            document.body.append(image);
          }),
      ),
  },
  {
    check: "figures",
    what: "a drawing without marks",
    breakIt: drawing((svg) => svg.querySelectorAll(".mark").forEach((mark) => mark.remove())),
  },
  {
    check: "figures",
    what: "a mark outside its figure",
    breakIt: drawing((svg) => (svg.querySelector(".mark").style.transform = "translate(9000px, 0)")),
  },
  {
    check: "figures",
    what: "a drawing without words",
    breakIt: drawing((svg) => {
      svg.removeAttribute("aria-label");
      svg.removeAttribute("aria-labelledby");
    }),
  },
  {
    check: "figures",
    what: "a figure without numbers",
    breakIt: drawing((svg) => svg.closest("figure").querySelectorAll("table").forEach((table) => table.remove())),
  },
  {
    check: "no sideways scrolling",
    what: "something too wide",
    breakIt: (page) =>
      page.evaluate(() => document.body.insertAdjacentHTML("beforeend", '<div style="width: 3000px">wide</div>')),
  },
  {
    check: "no text is cut",
    what: "a label beyond the window",
    breakIt: drawing((svg) => (svg.querySelector("text").style.transform = "translate(9000px, 0)")),
  },
  {
    check: "no text is cut",
    what: "an element that hides what is too much",
    breakIt: (page) =>
      page.evaluate(() =>
        document.body.insertAdjacentHTML(
          "beforeend",
          '<p style="width: 3em; overflow: hidden; white-space: nowrap">much more than there is room for</p>',
        ),
      ),
  },
  {
    check: "no text is cut",
    what: "a table that is wider than the paper",
    view: { width: 718, media: "print" },
    breakIt: (page) =>
      page.evaluate(() =>
        document.body.insertAdjacentHTML(
          "beforeend",
          `<div class="scrolls"><p style="white-space: nowrap; max-width: none">${"too much ".repeat(40)}</p></div>`,
        ),
      ),
  },
  {
    check: "no text on text",
    what: "a label on another",
    breakIt: drawing((svg) => {
      const text = svg.querySelector("text");
      const other = text.cloneNode(true);
      other.style.transform = "translate(3px, 2px)";
      text.after(other);
    }),
  },
  {
    check: "no text on text",
    what: "a paragraph on another",
    breakIt: (page) =>
      page.evaluate(() =>
        document.body.insertAdjacentHTML(
          "beforeend",
          '<p>one paragraph of text</p><p style="margin-top: -2.2em">another one on it</p>',
        ),
      ),
  },
  ...["light", "dark"].map((scheme) => ({
    check: "contrast of drawn text",
    what: `a label that nearly has the colour of the page, ${scheme}`,
    view: { scheme },
    breakIt: drawing((svg) => (svg.querySelector("text").style.fill = "#777e")),
  })),
  ...["light", "dark"].map((scheme) => ({
    check: "axe-core",
    what: `a paragraph that nearly has the colour of the page, ${scheme}`,
    view: { scheme },
    breakIt: (page) =>
      page.evaluate(() =>
        document.querySelector("main").insertAdjacentHTML("beforeend", '<p style="color: #888; background: #999">faint</p>'),
      ),
  })),
  {
    check: "axe-core",
    what: "a button without a name",
    breakIt: (page) => page.evaluate(() => document.body.append(document.createElement("button"))),
  },
  {
    check: "marks tell their values",
    what: "pointing shows nothing",
    breakIt: (page) =>
      page.evaluate(() => {
        for (const kind of ["pointermove", "pointerover", "mousemove", "mouseover"]) {
          window.addEventListener(kind, (event) => event.stopImmediatePropagation(), true);
        }
      }),
  },
  {
    check: "marks tell their values",
    what: "a tip that tells something else",
    breakIt: (page) =>
      page.evaluate(() => {
        const tip = document.getElementById("tip");
        new MutationObserver(() => {
          if (tip.textContent !== "else") tip.textContent = "else";
        }).observe(tip, { childList: true, characterData: true, subtree: true });
      }),
  },
];
