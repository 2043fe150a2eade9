import assert from "node:assert/strict";
import { test } from "node:test";
import { curlFor } from "../app/reference/curl";
import { endpointID, matches, readReference } from "../app/reference/model";
import type { Document } from "../app/reference/openapi";

const document: Document = {
  openapi: "3.1.0",
  info: { title: "Gatehouse", version: "v1" },
  paths: {
    "/v1/users/{user_id}": {
      get: {
        summary: "Get a user",
        security: [{ secret: [] }],
        parameters: [{ name: "user_id", in: "path", required: true, schema: { type: "string" } }],
        responses: { "200": { content: { "application/json": { schema: { $ref: "#/components/schemas/User" } } } }, default: {} },
      },
    },
    "/v1/users": {
      post: {
        security: [{ secret: [] }],
        requestBody: {
          content: {
            "application/json": {
              schema: {
                type: "object",
                required: ["email"],
                properties: {
                  limit: { type: "integer", minimum: 1, maximum: 1000, default: 100 },
                  email: { type: "string", example: "o'neill@example.com", maxLength: 254 },
                  name: { $ref: "#/components/schemas/Name" },
                },
              },
            },
          },
        },
        responses: { "200": {}, "429": { description: "Too many." } },
      },
    },
    "/sdk/v1/users/me": {
      get: {
        security: [{ public: [] }],
        responses: {
          "200": {
            content: {
              "application/json": {
                schema: { type: "object", properties: { data: { type: "object", required: ["request_id", "user_id"], properties: { request_id: { type: "string" }, user_id: { type: "string" } } } } },
              },
            },
          },
        },
      },
    },
    "/healthz": { get: { summary: "Lives", security: [], responses: {} } },
  },
  components: {
    schemas: {
      Name: { type: "object", properties: { first_name: { type: "string" } } },
      User: {
        type: "object",
        required: ["user_id"],
        properties: {
          roles: { type: "array", items: { type: "string" } },
          user_id: { type: "string" },
          name: { anyOf: [{ $ref: "#/components/schemas/Name" }, { type: "null" }] },
          self: { $ref: "#/components/schemas/User" },
          lock_expires_at: { type: ["string", "null"], format: "date-time" },
        },
      },
    },
  },
};

const reference = readReference(document);
const all = reference.groups.flatMap((group) => group.endpoints);
const endpoint = (id: string) => all.find((one) => one.id === id)!;

test("endpoints are grouped by door and first word, the backend's first", () => {
  assert.deepEqual(
    reference.groups.map((group) => [group.door, group.name, group.endpoints.map((one) => one.id)]),
    [
      ["server", "Users", ["post-v1-users", "get-v1-users-user_id"]],
      ["browser", "Users", ["get-sdk-v1-users-me"]],
      ["open", "Server", ["get-healthz"]],
    ],
  );
  assert.equal(reference.count, 4);
});

test("fields carry type, requirement and limits, the required first", () => {
  const fields = endpoint("post-v1-users").request;
  assert.deepEqual(fields.map((field) => [field.name, field.type, field.required]), [
    ["email", "string", true],
    ["limit", "integer", false],
    ["name", "object", false],
  ]);
  assert.deepEqual(fields[0]!.limits, ["at most 254 characters"]);
  assert.deepEqual(fields[1]!.limits, ["1 to 1000", "default 100"]);
  assert.deepEqual(fields[2]!.inner().map((field) => field.name), ["first_name"]);
});

test("references, lists, nulls and a schema that holds itself", () => {
  const fields = Object.fromEntries(endpoint("get-v1-users-user_id").response.map((field) => [field.name, field]));
  assert.equal(fields.roles!.type, "list of string");
  assert.equal(fields.name!.type, "object or null");
  assert.equal(fields.lock_expires_at!.type, "time (RFC 3339) or null");
  assert.equal(fields.self!.inner().find((field) => field.name === "self")!.inner().length, 5);
});

test("an answer in the data envelope shows what is inside, what every answer has last", () => {
  assert.deepEqual(endpoint("get-sdk-v1-users-me").response.map((field) => field.name), ["user_id", "request_id"]);
});

test("only refusals with their own status are listed", () => {
  assert.deepEqual(endpoint("post-v1-users").failures, [{ status: "429", description: "Too many." }]);
  assert.deepEqual(endpoint("get-v1-users-user_id").failures, []);
});

test("the search finds by path, method and field, all words at once", () => {
  assert.ok(matches(endpoint("post-v1-users"), "POST email"));
  assert.ok(!matches(endpoint("post-v1-users"), "POST user_id"));
  assert.ok(matches(endpoint("get-healthz"), ""));
});

test("curl examples are one command that the shell reads as meant", () => {
  assert.equal(
    curlFor(endpoint("post-v1-users"), "http://localhost:8080"),
    [
      'curl -X POST "http://localhost:8080/v1/users" \\',
      '  -u "$PROJECT_ID:$SECRET" \\',
      '  -H "Content-Type: application/json" \\',
      `  -d '{\n  "email": "o'\\''neill@example.com"\n}'`,
    ].join("\n"),
  );
  assert.equal(
    curlFor(endpoint("get-v1-users-user_id"), "http://h"),
    'curl "http://h/v1/users/$USER_ID" \\\n  -u "$PROJECT_ID:$SECRET"',
  );
  assert.equal(curlFor(endpoint("get-healthz"), "http://h"), 'curl "http://h/healthz"');
});

test("an id for links has no signs in it", () => {
  assert.equal(endpointID("GET", "/.well-known/webauthn"), "get-well-known-webauthn");
});
