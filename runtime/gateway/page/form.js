// Turns the JSON Schema of an account into fields of a form, and what was typed into a change. Pure.

const REDACTED = "__OPENCLAW_REDACTED__";

/**
 * Return the fields of a schema's object: `{key, kind, choices, fallback, help, local, needed}`.
 *
 * `kind` is `text`, `number`, `switch`, `choice`, `lines`, `secret` or `json`; `hint(key)` gives what is
 * known of a field beside its schema; `local` ones change on the gateway's host only, without those that
 * are `needed` an account does not start.
 */
export function fieldsOf(schema, object, hint = () => null) {
  return Object.entries(resolve(schema, object).properties ?? {}).map(([key, shape]) => {
    const found = hint(key) ?? {};
    const whole = resolve(schema, shape);
    const kind = found.sensitive ? "secret" : kindOf(schema, whole);
    return {
      key,
      kind,
      choices: choicesOf(schema, whole),
      fallback: whole.default,
      help: whole.description ?? "",
      local: Boolean(found.help),
      needed: !["lines", "json"].includes(kind) && !mayMiss(schema, whole), // those may have one that no schema shows
    };
  });
}

/** Return a part of a schema with its reference followed. */
export function resolve(schema, shape) {
  let found = shape ?? {};
  while (found.$ref) found = { ...schema.$defs?.[found.$ref.split("/").pop()], ...found, $ref: undefined };
  return found;
}

function alternatives(schema, shape) {
  const many = shape.anyOf ?? shape.oneOf;
  return (many ? many.map((each) => resolve(schema, each)) : [shape]).filter((each) => each.type !== "null");
}

/** Return whether a value may be left out: it, or one of its forms, has a default or is null. */
function mayMiss(schema, shape) {
  return "default" in shape || shape.type === "null" || (shape.anyOf ?? shape.oneOf ?? []).some((each) => mayMiss(schema, resolve(schema, each)));
}

function choicesOf(schema, shape) {
  return alternatives(schema, shape).flatMap((each) => each.enum ?? (each.const === undefined ? [] : [each.const]));
}

function kindOf(schema, shape) {
  const forms = alternatives(schema, shape);
  if (forms.length !== 1) return "json";
  const [form] = forms;
  if (form.enum || form.const !== undefined) return "choice";
  if (form.type === "array") {
    const types = alternatives(schema, resolve(schema, form.items)).map((each) => each.type);
    return types.includes("string") && types.every((each) => each === "string" || each === "integer") ? "lines" : "json";
  }
  return { boolean: "switch", integer: "number", number: "number", string: "text" }[form.type] ?? "json";
}

/** Return a value as it stands in a field; an empty text where there is none. A secret stands in none. */
export function textOf(kind, value) {
  if (value === undefined || value === null || kind === "secret") return "";
  if (kind === "lines" && Array.isArray(value)) return value.join("\n");
  if (kind === "json" || typeof value === "object") return JSON.stringify(value, null, 2);
  return String(value);
}

/** Return what is known of a secret in words. */
export function secretState(value) {
  if (value === undefined || value === null) return "not set";
  if (typeof value === "object") return `a reference: ${value.source ?? "?"} ${value.id ?? ""}`.trim();
  return "set; it is not shown";
}

/** Return the value of what was typed, `null` for nothing; throws an `Error` with a sentence. */
export function valueOf(kind, text, choices = []) {
  const given = text.trim();
  if (!given) return null;
  if (kind === "number") {
    const number = Number(given);
    if (Number.isNaN(number)) throw new Error(`"${given}" is no number`);
    return number;
  }
  if (kind === "switch") return given === "true";
  if (kind === "lines") return given.split("\n").map((line) => line.trim()).filter(Boolean);
  if (kind === "choice") return choices.find((each) => String(each) === given) ?? given;
  if (kind !== "json") return kind === "secret" ? text : given;
  try {
    return JSON.parse(given);
  } catch (error) {
    throw new Error(`no JSON: ${error.message}`);
  }
}

/** Return which needed fields stand nowhere: neither in `given` nor in the `section` of the channel. */
export function missingIn(fields, section, given) {
  return fields.filter(({ key, needed }) => needed && (given[key] ?? section?.[key] ?? null) === null).map(({ key }) => key);
}

/** Return under which name a text is kept that was typed for a field: a secret is that of one channel alone. */
export function nameOf(channel, { key, kind }) {
  return kind === "secret" ? `${channel}.${key}` : key;
}

/** Return the texts that were typed for a channel's fields, at this channel or at another one. */
export function keptFor(channel, fields, typed) {
  return Object.fromEntries(fields.map((field) => [field.key, typed[nameOf(channel, field)]]).filter(([, text]) => text !== undefined));
}

/**
 * Return what was edited as a merge patch of the account, and what is wrong with it, by field:
 * `{patch, errors}`. `edits` are texts by key.
 */
export function patchOf(fields, values, edits) {
  const patch = {};
  const errors = {};
  for (const { key, kind, choices } of fields) {
    if (!(key in edits)) continue;
    try {
      const typed = valueOf(kind, edits[key], choices);
      const value = kind === "lines" ? asBefore(typed, values[key]) : typed;
      if (kind === "secret" && value === null) continue; // an empty field leaves a secret as it is
      if (same(value, values[key] ?? null)) continue;
      patch[key] = value === null || !isObject(value) || !isObject(values[key]) ? value : difference(values[key], value);
    } catch (error) {
      errors[key] = error.message;
    }
  }
  return { patch, errors };
}

/** Return a list with the numbers that stood in it before as numbers: typed ones are texts. */
function asBefore(value, before) {
  if (!Array.isArray(value) || !Array.isArray(before)) return value;
  return value.map((each) => before.find((old) => typeof old === "number" && String(old) === each) ?? each);
}

/** Return the merge patch (RFC 7396) that makes `after` of `before`; `null` takes a field out. */
export function difference(before, after) {
  const patch = {};
  for (const key of Object.keys(before)) if (!(key in after)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    if (same(before[key], value)) continue;
    patch[key] = isObject(before[key]) && isObject(value) ? difference(before[key], value) : value;
  }
  return patch;
}

/** Return an object with a merge patch applied. */
export function merged(before, patch) {
  if (!isObject(patch)) return patch;
  const after = isObject(before) ? { ...before } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete after[key];
    else after[key] = merged(after[key], value);
  }
  return after;
}

/** Return a patch as it may be shown: what was typed into the fields named is hidden. */
export function hidden(patch, secrets) {
  return Object.fromEntries(
    Object.entries(patch).map(([key, value]) => [key, secrets.includes(key) && typeof value === "string" ? `${REDACTED} (a new one)` : value]),
  );
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}
