// Makes a page for people of /openapi.json. Whatever comes from there is set as text, never as HTML.
"use strict";

const METHODS = ["get", "post", "patch", "put", "delete"];

const element = (id) => document.getElementById(id);

function made(name, text, kind) {
  const part = document.createElement(name);
  if (text !== undefined) part.textContent = text;
  if (kind) part.className = kind;
  return part;
}

// The same for prose, in which code stands between backticks.
function told(name, text, kind) {
  const part = made(name, undefined, kind);
  text.split("`").forEach((piece, place) => part.append(place % 2 ? made("code", piece) : piece));
  return part;
}

// What a reference such as #/components/schemas/Problem leads to.
function resolved(description, part) {
  if (!part || !part.$ref) return part || {};
  const [, , kind, name] = part.$ref.split("/");
  return description.components[kind][name] || {};
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const options = schema.anyOf || schema.oneOf;
  if (options) return options.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items || {})}`;
  return Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || "any";
}

function table(rows, heads) {
  const part = document.createElement("table");
  const head = part.createTHead().insertRow();
  for (const name of heads) head.append(made("th", name));
  const body = part.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    for (const text of cells) row.insertCell().textContent = text;
  }
  return part;
}

function scopesOf(operation) {
  const scopes = (operation.security || []).flatMap((entry) => entry.token || []);
  return scopes.length ? `needs ${scopes.join(", ")}` : "open to all";
}

const MANNERS = { get: "method", delete: "method removes" };

function operationPart(description, path, method, operation) {
  const part = made("details");
  const summary = made("summary");
  const text = operation.description || operation.summary || "";
  summary.append(
    made("span", method.toUpperCase(), MANNERS[method] || "method writes"),
    made("code", path),
    told("span", operation.summary || "", "quiet"),
    made("span", scopesOf(operation), "quiet"),
  );
  part.append(summary, told("p", text));
  const parameters = (operation.parameters || []).map((given) => {
    const parameter = given.$ref ? {} : given;
    return [parameter.name, parameter.in, typeOf(parameter.schema || {}), parameter.description || ""];
  });
  if (parameters.length) part.append(table(parameters, ["parameter", "in", "type", ""]));
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  if (content) {
    const schema = resolved(description, content.schema);
    const required = schema.required || [];
    const rows = Object.entries(schema.properties || {}).map(([name, property]) => [
      name, typeOf(property), required.includes(name) ? "required" : "",
    ]);
    part.append(table(rows, ["body", "type", ""]));
    if (content.example) part.append(made("pre", JSON.stringify(content.example, null, 2)));
  }
  const answers = Object.entries(operation.responses).map(([status, answer]) => [
    status, resolved(description, answer).description || "",
  ]);
  part.append(table(answers, ["answer", ""]));
  return part;
}

function show(description) {
  element("title").textContent = `${description.info.title} API`;
  element("version").textContent = description.info.version;
  element("summary").textContent = description.info.description || "";
  for (const tag of description.tags) {
    const section = made("section");
    const list = made("div", undefined, "operations");
    section.append(made("h2", tag.name), made("p", tag.description || "", "quiet"), list);
    for (const [path, operations] of Object.entries(description.paths)) {
      for (const method of METHODS) {
        const operation = operations[method];
        if (operation && operation.tags.includes(tag.name)) {
          list.append(operationPart(description, path, method, operation));
        }
      }
    }
    element("operations").append(section);
  }
}

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => { element("summary").textContent = `The description cannot be read: ${error.message}`; });
