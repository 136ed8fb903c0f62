/**
 * Watches: newline-delimited `{type, object}`, as Kubernetes' clients read them. An object that leaves the selector
 * is DELETED, one that enters it ADDED. Nothing is queued here: the store's watch is read only as fast as the client
 * takes, and ends with 410 Expired for one that falls too far behind; clients then list anew.
 */
import type { Clock } from '../../protocol/ports.js';
import { RequestError } from '../ports.js';
import type { Change, Store } from '../store/store.js';
import { toApiObject, toJson, type ApiObject } from './api-object.js';
import { negotiate, type Form } from './negotiate.js';
import type { Answer, ApiRequest } from './request.js';
import { checkNotAhead, parseResourceVersion } from './resource-version.js';
import { groupVersion, type StoredResource } from './resources.js';
import type { Selection } from './selection.js';
import { failure, knownError } from './status.js';
import { rowJson, tableHead } from './tables/table.js';

const BOOKMARK_MS = 60_000;
/** As Kubernetes: a client that names no end is asked to come back after an hour. */
const DEFAULT_TIMEOUT_S = 3600;
const TIMEOUT_S_MAX = 24 * 3600;
/** No namespace has this name: a list of it costs nothing and tells the store's resourceVersion. */
const NOWHERE = '-';

export interface WatchParts {
  readonly store: Store;
  readonly clock: Clock;
}

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';

interface Writer {
  event(type: EventType, object: ApiObject): string;
  bookmark(resourceVersion: string, initialEnd: boolean): string;
}

function line(type: EventType | 'ERROR', object: string): string {
  return `{"type":"${type}","object":${object}}\n`;
}

function plainWriter(resource: StoredResource): Writer {
  const apiVersion = groupVersion(resource.group);
  return {
    event: (type, object) => line(type, toJson(object)),
    bookmark(resourceVersion, initialEnd) {
      const annotations = { 'k8s.io/initial-events-end': 'true' };
      const metadata = { resourceVersion, ...(initialEnd ? { annotations } : {}) };
      return line('BOOKMARK', JSON.stringify({ kind: resource.kind, apiVersion, metadata }));
    },
  };
}

/** Columns stand in the first event alone, as in Kubernetes. */
function tableWriter(resource: StoredResource, form: Form, clock: Clock): Writer {
  let columns = resource.table.columns;
  const table = (resourceVersion: string, row: string) => {
    const head = tableHead(columns, form, resourceVersion);
    columns = [];
    return `${head}${row}]}`;
  };
  return {
    event(type, object) {
      const row = rowJson(resource.table, object, { form, nowMs: clock.now() });
      return line(type, table(object.metadata.resourceVersion, row));
    },
    bookmark: resourceVersion => line('BOOKMARK', table(resourceVersion, '')),
  };
}

/** What a change is to one who sees only the selection; null: nothing. */
export function selected(
  change: Change,
  selection: Selection,
): { readonly type: EventType; readonly object: ApiObject } | null {
  const object = toApiObject(change.object);
  const now = selection.matches(object);
  if (change.type !== 'MODIFIED' || change.previous === null) {
    return now ? { type: change.type, object } : null;
  }
  const previous = toApiObject(change.previous);
  const before = selection.matches(previous);
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', object };
  if (!before) return null;
  const { resourceVersion } = object.metadata;
  const last = { ...previous, metadata: { ...previous.metadata, resourceVersion } };
  return { type: 'DELETED', object: last };
}

function timeoutS(query: URLSearchParams): number {
  const value = query.get('timeoutSeconds') ?? '';
  if (value === '') return DEFAULT_TIMEOUT_S;
  if (!/^\d{1,9}$/.test(value)) {
    throw new RequestError('BadRequest', `timeoutSeconds: "${value}" is not a number of seconds`);
  }
  return Number(value) === 0 ? DEFAULT_TIMEOUT_S : Math.min(Number(value), TIMEOUT_S_MAX);
}

async function currentVersion(store: Store, resource: StoredResource): Promise<string> {
  return (await store.list(resource.kind, { namespace: NOWHERE })).resourceVersion;
}

/** Throws BadRequest, and Expired for a resourceVersion ahead of the store; one too old is an ERROR event. */
export async function watchAnswer(
  parts: WatchParts,
  resource: StoredResource,
  options: { request: ApiRequest; selection: Selection },
): Promise<Answer> {
  const { request, selection } = options;
  const { query } = request;
  const form = negotiate(request.accept, query);
  const from = parseResourceVersion(query);
  const endS = timeoutS(query);
  if (from !== null) checkNotAhead(from, await currentVersion(parts.store, resource));
  const watch: Watch = {
    ...parts,
    resource,
    selection,
    from,
    initialEvents: query.get('sendInitialEvents'),
    bookmarks: query.get('allowWatchBookmarks') === 'true',
    writer: form.table === null ? plainWriter(resource) : tableWriter(resource, form, parts.clock),
  };
  return { type: 'stream', live: true, chunks: watchLines(watch, request.signal, endS) };
}

interface Watch extends WatchParts {
  readonly resource: StoredResource;
  readonly selection: Selection;
  readonly from: string | null;
  /** `sendInitialEvents`: absent means that a watch without resourceVersion begins with what is there. */
  readonly initialEvents: string | null;
  readonly bookmarks: boolean;
  readonly writer: Writer;
}

async function* watchLines(
  watch: Watch,
  client: AbortSignal,
  endS: number,
): AsyncGenerator<string> {
  const end = new AbortController();
  const abort = () => end.abort();
  client.addEventListener('abort', abort, { once: true });
  if (client.aborted) abort();
  void watch.clock.sleep(endS * 1000, end.signal).then(abort);
  try {
    const from = yield* initialLines(watch);
    yield* liveLines(watch, from, end.signal);
  } catch (error) {
    if (end.signal.aborted) return;
    const known = knownError(error);
    if (!known) throw error;
    yield line('ERROR', JSON.stringify(failure(known, null)));
  } finally {
    abort();
    client.removeEventListener('abort', abort);
  }
}

/** What is there already, where the client wants it; returns the resourceVersion to go on from. */
async function* initialLines(watch: Watch): AsyncGenerator<string, string> {
  const { from, initialEvents, store, resource, selection, writer } = watch;
  if (initialEvents !== 'true' && from !== null) return from;
  if (initialEvents === 'false') return currentVersion(store, resource);
  const { namespace } = selection;
  const list = await store.list(resource.kind, namespace === null ? {} : { namespace });
  for (const object of list.items.map(toApiObject)) {
    if (selection.matches(object)) yield writer.event('ADDED', object);
  }
  if (initialEvents === 'true') yield writer.bookmark(list.resourceVersion, true);
  return list.resourceVersion;
}

async function* liveLines(watch: Watch, from: string, signal: AbortSignal): AsyncGenerator<string> {
  const changes = watch.store.watch(watch.resource.kind, from, signal);
  const ticked = withTicks(changes, { clock: watch.clock, signal });
  // The newest change that was seen, be it in the selection or not.
  let seen = from;
  for await (const change of watch.bookmarks ? ticked : changes) {
    if (change === 'tick') {
      yield watch.writer.bookmark(seen, false);
      continue;
    }
    seen = change.object.metadata.resourceVersion;
    const event = selected(change, watch.selection);
    if (event) yield watch.writer.event(event.type, event.object);
  }
}

/** The changes in order, and a tick a minute whenever no change waits. Ends with the changes. */
async function* withTicks(
  changes: AsyncIterable<Change>,
  ticks: { readonly clock: Clock; readonly signal: AbortSignal },
): AsyncGenerator<Change | 'tick'> {
  const { clock, signal } = ticks;
  let due = false;
  let wake = () => {};
  const arm = () => {
    void clock.sleep(BOOKMARK_MS, signal).then(() => {
      due = !signal.aborted;
      wake();
    });
  };
  arm();
  const iterator = changes[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = iterator.next();
      let arrived = false;
      const settle = () => {
        arrived = true;
        wake();
      };
      void next.then(settle, settle);
      while (!arrived) {
        await new Promise<void>(resolve => {
          wake = resolve;
          if (due) resolve();
        });
        if (!due || arrived) continue;
        due = false;
        yield 'tick';
        arm();
      }
      const result = await next;
      if (result.done) return;
      yield result.value;
    }
  } finally {
    await iterator.return?.();
  }
}
