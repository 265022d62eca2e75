// Reading an OpenAPI document, as much of it as ours holds.

export interface Shown {
  summary: string;
  value: unknown;
  'x-varies'?: string[];
  'x-needs'?: string;
}

export interface JsonSchema {
  $ref?: string;
  description?: string;
  type?: string | string[];
  format?: string;
  enum?: unknown[];
  const?: unknown;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  allOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  contentSchema?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
}

export interface Media {
  schema: JsonSchema;
  examples?: Record<string, Shown>;
  'x-each'?: JsonSchema;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  description: string;
  required: boolean;
  schema: JsonSchema;
  examples?: Record<string, Shown>;
}

export interface Response {
  $ref?: string;
  description: string;
  headers?: Record<string, { $ref: string }>;
  content?: Record<string, Media>;
}

export interface Operation {
  operationId: string;
  tags: [string];
  summary: string;
  description: string;
  security: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, Response>;
}

export interface Document {
  openapi: string;
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    responses: Record<string, Response>;
    headers: Record<string, { description: string; schema: JsonSchema }>;
  };
  'x-problems': Record<string, { status: number; when: string; remedy: string }>;
}

export interface Described {
  method: string;
  path: string;
  operation: Operation;
}

export function callsIn({ paths }: Document): Described[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
}

export const lastOf = (ref: string) => ref.slice(ref.lastIndexOf('/') + 1);

export function responseOf({ components }: Document, response: Response): Response {
  return response.$ref ? components.responses[lastOf(response.$ref)]! : response;
}

export interface Sendable {
  name: string;
  summary: string;
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
  status: number;
  /** What it is answered: text, or what the JSON says. */
  answer: unknown;
  varies: string[];
  needs: string | undefined;
}

/** The examples of a call, each put together from the parts that have its name. */
export function examplesIn(document: Document, { method, path, operation }: Described): Sendable[] {
  const { parameters = [], requestBody, responses } = operation;
  const bodies = Object.entries(requestBody?.content ?? {});
  const found: Sendable[] = [];
  const isSent = (name: string) =>
    [...parameters, ...bodies.map(([, media]) => media)].some(({ examples }) => examples?.[name]);
  const isBare = !requestBody && !parameters.some(({ required }) => required);
  for (const [status, response] of Object.entries(responses)) {
    for (const media of Object.values(responseOf(document, response).content ?? {})) {
      for (const [name, shown] of Object.entries(media.examples ?? {})) {
        // Of problems there is an example in any case; not each can be had by sending something.
        if (!isSent(name) && !(isBare && !response.$ref)) continue;
        found.push({
          ...{ name, summary: summaryOf(name) ?? shown.summary },
          ...{ method: method.toUpperCase(), status: Number(status), ...sent(name) },
          ...{ answer: shown.value, varies: shown['x-varies'] ?? [], needs: shown['x-needs'] },
        });
      }
    }
  }
  const order = new Map([...new Set(namesOfSent())].map((name, i) => [name, i]));
  return found.sort((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));

  function* namesOfSent(): Generator<string> {
    for (const [, { examples }] of bodies) yield* Object.keys(examples ?? {});
    for (const { examples } of parameters) yield* Object.keys(examples ?? {});
  }

  function summaryOf(name: string): string | undefined {
    const parts = [...parameters, ...bodies.map(([, media]) => media)];
    return parts.find(({ examples }) => examples?.[name])?.examples?.[name]?.summary;
  }

  function sent(name: string): { path: string; headers: Record<string, string>; body: string | undefined } {
    let filled = path;
    const query = new URLSearchParams();
    const headers: Record<string, string> = {};
    for (const { name: parameter, in: place, examples } of parameters) {
      const value = examples?.[name]?.value;
      if (value === undefined) continue;
      if (place === 'path') filled = filled.replace(`{${parameter}}`, encodeURIComponent(String(value)));
      else if (place === 'query') query.set(parameter, String(value));
      else headers[parameter] = String(value);
    }
    const [type, media] = bodies.find(([, { examples }]) => examples?.[name]) ?? [];
    const value = media?.examples?.[name]?.value;
    if (type) headers['Content-Type'] = type;
    return {
      path: query.size > 0 ? `${filled}?${query}` : filled,
      headers,
      body: value === undefined || typeof value === 'string' ? value : JSON.stringify(value),
    };
  }
}
