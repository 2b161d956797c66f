// Makes the merge patch that changes the lists of an account, where each of them is set. Pure.

/** Return the ids that stand in a text, one on each line, each once. */
export function idsIn(text) {
  return [...new Set(text.split(/[\n,]/).map((each) => each.trim()).filter(Boolean))];
}

/**
 * Return `{patch, places}`: the change of the configuration that a form means, and where it is made.
 *
 * A field is changed where it is set: in the account, or in its channel for all accounts of it. One
 * that is set nowhere becomes the account's own.
 */
export function patchOf(entry, form) {
  const patch = {};
  const places = [];
  const put = (field, value) => {
    const path = placeOf(entry, field);
    places.push([...path, field].join("."));
    let at = patch;
    for (const name of path) at = at[name] ??= {};
    at[field] = value;
  };
  for (const field of ["dmPolicy", "groupPolicy"]) if (form[field] !== entry[field]) put(field, form[field]);
  for (const field of ["allowFrom", "groupAllowFrom"]) {
    const ids = idsIn(form[field]);
    if (!same(ids, entry[field] ?? [])) put(field, ids);
  }
  const groups = groupChanges(entry.groups, idsIn(form.groups));
  if (Object.keys(groups).length) put(entry.groupsField, groups);
  return { patch, places };
}

function groupChanges(before, ids) {
  const added = ids.filter((id) => !(id in before)).map((id) => [id, {}]);
  const removed = Object.keys(before).filter((id) => !ids.includes(id)).map((id) => [id, null]);
  return Object.fromEntries([...added, ...removed]);
}

function placeOf(entry, field) {
  const at = entry.account.indexOf(":");
  const [channel, account] = [entry.account.slice(0, at), entry.account.slice(at + 1)];
  const source = entry.sources[field];
  const shared = source !== undefined && source === `channels.${channel}.${field}`;
  return shared ? ["channels", channel] : ["channels", channel, "accounts", account];
}

function same(a, b) {
  return a.length === b.length && a.every((each, at) => each === b[at]);
}
