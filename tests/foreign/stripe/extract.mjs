// Takes out of Stripe's published OpenAPI description what the sandbox plays: the schemas of its answers with all that
// they refer to, and the request parameters of its operations. Prints JSON Schema.
//
//     node extract.mjs spec3.json fixtures3.json > openapi.json
import { readFileSync } from "node:fs";

const ANSWERS = [
  "account", "account_link", "deleted_account", "payment_intent", "event", "error", "application",
];
const OPERATIONS = [
  "GET /v1/account",
  "POST /v1/accounts", "GET /v1/accounts", "GET /v1/accounts/{account}", "POST /v1/accounts/{account}",
  "DELETE /v1/accounts/{account}",
  "POST /v1/account_links",
  "POST /v1/payment_intents", "GET /v1/payment_intents", "GET /v1/payment_intents/{intent}",
  "POST /v1/payment_intents/{intent}", "POST /v1/payment_intents/{intent}/confirm",
  "POST /v1/payment_intents/{intent}/cancel", "POST /v1/payment_intents/{intent}/capture",
  "GET /v1/events", "GET /v1/events/{id}",
];
// Members that the sandbox never fills: nothing but null is let through, and what they refer to is left out.
const EMPTY = {
  account: ["company", "individual"],
  payment_intent: ["next_action", "processing", "shipping", "review", "customer", "setup_future_usage"],
  payment_intent_payment_method_options: "all",
  api_errors: ["payment_method", "setup_intent", "source"],
  legal_entity_company: "all",
};
const NOISE = /^(description|title|x-.*)$/;

const [spec, fixtures] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));
const schemas = {};

function isSchemaMap(key) {
  return key === "properties";
}

function reduce(value, owner) {
  if (Array.isArray(value)) return value.map((item) => reduce(item, owner));
  if (value === null || typeof value !== "object") return value;
  // The sandbox expands nothing: of an expandable member only the id is left.
  if (value["x-expansionResources"]) return nullable({ type: "string" }, value.nullable);
  if (value.$ref) {
    const name = value.$ref.split("/").pop();
    take(name);
    return { $ref: `#/schemas/${name}` };
  }
  const reduced = {};
  for (const [key, inner] of Object.entries(value)) {
    if (NOISE.test(key) || key === "nullable" || key === "format") continue;
    if (isSchemaMap(key)) {
      reduced[key] = Object.fromEntries(
        Object.entries(inner).map(([name, schema]) => [name, isEmpty(owner, name) ? { type: "null" } : reduce(schema)]),
      );
    } else {
      reduced[key] = reduce(inner);
    }
  }
  // Members that Stripe does not describe are invented ones.
  if (reduced.properties && reduced.additionalProperties === undefined && Object.keys(reduced.properties).length > 0) {
    reduced.additionalProperties = false;
  }
  return nullable(reduced, value.nullable);
}

function isEmpty(owner, name) {
  return EMPTY[owner] === "all" || (EMPTY[owner] ?? []).includes(name);
}

function nullable(schema, isNullable) {
  if (!isNullable) return schema;
  if (schema.anyOf) return { ...schema, anyOf: [...schema.anyOf, { type: "null" }] };
  const enumeration = schema.enum ? { enum: [...schema.enum, null] } : {};
  return { ...schema, ...enumeration, type: [schema.type, "null"] };
}

function take(name) {
  if (schemas[name]) return;
  schemas[name] = {};
  schemas[name] = reduce(spec.components.schemas[name], name);
}

// Members that the newer examples have and the description has not yet: named, and of any form.
function widen(schema, example) {
  const target = schema?.$ref ? schemas[schema.$ref.split("/").pop()] : schema;
  const inner = target?.anyOf?.find((variant) => variant.$ref) ?? target;
  if (inner !== target) return widen(inner, example);
  if (!target?.properties || example === null || typeof example !== "object") return;
  for (const [name, value] of Object.entries(example)) {
    if (target.properties[name] === undefined) target.properties[name] = {};
    else widen(target.properties[name], value);
  }
}

function parameters(operation) {
  const [method, path] = operation.split(" ");
  const described = spec.paths[path][method.toLowerCase()];
  if (method === "POST") {
    return reduceParameters(described.requestBody.content["application/x-www-form-urlencoded"].schema);
  }
  const query = described.parameters.filter((parameter) => parameter.in === "query");
  return { properties: Object.fromEntries(query.map(({ name, schema }) => [name, reduceParameters(schema)])) };
}

// Of a parameter only its form counts: names, lists, and what may stand below.
function reduceParameters(schema) {
  const variants = (schema.anyOf ?? [schema]).filter((variant) => variant.enum?.[0] !== "");
  const first = variants.find((variant) => variant.properties || variant.items) ?? variants[0] ?? schema;
  const reduced = {};
  if (first.type) reduced.type = first.type;
  if (first.properties) {
    reduced.properties = Object.fromEntries(
      Object.entries(first.properties).map(([name, inner]) => [name, reduceParameters(inner)]),
    );
  }
  if (first.items) reduced.items = reduceParameters(first.items);
  if (first.additionalProperties) reduced.additionalProperties = reduceParameters(first.additionalProperties);
  return reduced;
}

ANSWERS.forEach(take);
for (const name of ["account", "account_link", "payment_intent", "event"]) {
  widen(schemas[name], fixtures.resources[name]);
}
const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
const extract = {
  version: spec.info.version,
  parameters: Object.fromEntries(OPERATIONS.map((operation) => [operation, parameters(operation)])),
  schemas: sorted,
};
console.log(JSON.stringify(extract, null, 1));
