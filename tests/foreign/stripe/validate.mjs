// Reads lines of {"schema": NAME, "value": …} and prints what Stripe's published description says against them.
import { readFileSync } from "node:fs";
import Ajv from "ajv";

const extract = JSON.parse(readFileSync(new URL("openapi.json", import.meta.url), "utf8"));
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false });
// The extract keeps its schemas below this name.
ajv.addKeyword("schemas");
ajv.addSchema({ $id: "stripe", schemas: extract.schemas }, "stripe", undefined, false);
const list = (items) => ({
  type: "object",
  additionalProperties: false,
  required: ["object", "url", "has_more", "data"],
  properties: {
    object: { const: "list" }, url: { type: "string" }, has_more: { type: "boolean" },
    data: { type: "array", items },
  },
});

let wrong = 0;
const seen = {};
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { schema, value } = JSON.parse(line);
  const name = schema.replace("[]", "");
  const reference = { $ref: `stripe#/schemas/${name}` };
  const validate = ajv.compile(schema.endsWith("[]") ? list(reference) : reference);
  seen[schema] = (seen[schema] ?? 0) + 1;
  if (!validate(value)) {
    wrong += 1;
    for (const { instancePath, message, params } of validate.errors) {
      console.log(`${schema}${instancePath} ${message} ${JSON.stringify(params)}`);
    }
  }
}
console.log(JSON.stringify(seen));
process.exit(wrong === 0 ? 0 : 1);
