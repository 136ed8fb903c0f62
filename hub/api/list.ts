/**
 * Answers to get and list: the object or a List, or a Table of them. A list is written in pieces, so that one of
 * thousands of pods neither stands in memory as one text nor holds up the other requests. `limit` is not used:
 * all is sent, as the API conventions allow.
 */
import { setImmediate } from 'node:timers/promises';
import { RequestError } from '../ports.js';
import { toJson, type ApiObject } from './api-object.js';
import { negotiate, type Form } from './negotiate.js';
import type { Answer, ApiRequest } from './request.js';
import { checkNotAhead, parseResourceVersion } from './resource-version.js';
import { groupVersion, type Resource } from './resources.js';
import { rowJson, tableHead } from './tables/table.js';

const PIECE_CHARS = 64 * 1024;

export interface ListResult {
  readonly resourceVersion: string;
  readonly items: Iterable<ApiObject>;
}

async function* joined(head: string, items: Iterable<string>, tail: string) {
  let piece = head;
  let separator = '';
  for (const item of items) {
    piece += separator + item;
    separator = ',';
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = '';
    await setImmediate();
  }
  yield piece + tail;
}

function* mapped(items: Iterable<ApiObject>, write: (object: ApiObject) => string) {
  for (const item of items) yield write(item);
}

function checkQuery(query: URLSearchParams, current: string): void {
  if (query.get('continue')) {
    throw new RequestError('BadRequest', 'continue: lists are sent whole, no such token exists');
  }
  const asked = parseResourceVersion(query);
  if (asked === null) return;
  checkNotAhead(asked, current);
  if (query.get('resourceVersionMatch') === 'Exact' && asked !== current) {
    throw new RequestError('Expired', `resourceVersion ${asked} is not kept: list without it`);
  }
}

/** The object alone, or as a Table of one row. */
export function objectAnswer(
  resource: Resource,
  object: ApiObject,
  options: { request: ApiRequest; nowMs: number },
): Answer {
  const { request, nowMs } = options;
  const form = negotiate(request.accept, request.query);
  if (form.table === null) return { type: 'json', code: 200, body: object };
  const head = tableHead(resource.table.columns, form, object.metadata.resourceVersion);
  const content = `${head}${rowJson(resource.table, object, { form, nowMs })}]}`;
  return {
    type: 'bytes',
    code: 200,
    contentType: 'application/json',
    content: Buffer.from(content),
  };
}

/** Throws BadRequest and Expired for what the query asks in vain. */
export function listAnswer(
  resource: Resource,
  result: ListResult,
  options: { request: ApiRequest; nowMs: number },
): Answer {
  const { request, nowMs } = options;
  const form = negotiate(request.accept, request.query);
  checkQuery(request.query, result.resourceVersion);
  return {
    type: 'stream',
    live: false,
    chunks:
      form.table === null
        ? joined(listHead(resource, result), mapped(result.items, toJson), ']}')
        : tableChunks(resource, result, { form, nowMs }),
  };
}

function listHead(resource: Resource, result: ListResult): string {
  const head = {
    kind: `${resource.kind}List`,
    apiVersion: groupVersion(resource.group),
    metadata: { resourceVersion: result.resourceVersion },
  };
  return `${JSON.stringify(head).slice(0, -1)},"items":[`;
}

function tableChunks(
  resource: Resource,
  result: ListResult,
  options: { form: Form; nowMs: number },
): AsyncIterable<string> {
  const head = tableHead(resource.table.columns, options.form, result.resourceVersion);
  const rows = mapped(result.items, object => rowJson(resource.table, object, options));
  return joined(head, rows, ']}');
}
