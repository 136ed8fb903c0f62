/** What is counted of the reports of nodes. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ArrivalTimes, type IngestMeter } from '../../../hub/ingest/ingest-meter.js';
import type { Opened } from '../../../hub/ingest/ingest-parts.js';
import type { NodeMessage } from '../../../hub/link/messages.js';

let lines: string[];
let nowMs: number;
let times: ArrivalTimes;

beforeEach(() => {
  lines = [];
  nowMs = 1_000_000;
  const say = (what: string) => (value?: string | number, more?: number) =>
    void lines.push([what, value, more].filter(part => part !== undefined).join(' '));
  const meter: IngestMeter = {
    ...{ arrived: say('arrived'), taken: say('taken'), refused: say('refused') },
    ...{ committed: say('committed'), statusAge: say('age'), missed: say('missed') },
    repeated: say('repeated'),
  };
  const clock = { now: () => nowMs, monotonic: () => nowMs, sleep: () => Promise.resolve() };
  times = new ArrivalTimes({ meter, clock });
});

function message(kind: NodeMessage['kind'] = 'status'): NodeMessage {
  return { kind, node: 'edge-1', payload: new Uint8Array(1), retained: false };
}

function status(counter: number, more: { clock?: string; retained?: boolean } = {}): Opened {
  const { clock = 'synced', retained = false } = more;
  const at = new Date(990_000).toISOString();
  const document = { journal: 'j', boot: 1, counter, at, clock };
  return { kind: 'status', document, digest: '', signedBy: '', retained } as unknown as Opened;
}

function events(last: number): Opened {
  const document = { events: [{ n: last - 1 }, { n: last }] };
  return {
    kind: 'event',
    document,
    digest: '',
    signedBy: '',
    retained: false,
  } as unknown as Opened;
}

/** One message comes, waits two seconds, and says this. */
function hear(opened: Opened, through = 0): string[] {
  const one = message(opened.kind);
  times.note(one);
  nowMs += 2000;
  times.ended('edge-1', [one], { opened: [opened], through });
  return lines;
}

describe('reports of nodes', () => {
  test('from the arrival, and from the time that was signed, until it is recorded', () => {
    assert.deepEqual(hear(status(1)), ['arrived status', 'taken 1', 'committed 2', 'age 12']);
  });

  test('a clock that nothing proves says nothing of age', () => {
    assert.deepEqual(hear(status(1, { clock: 'floor' })).slice(2), ['committed 2']);
  });

  test('nor does what the broker kept', () => {
    assert.deepEqual(hear(status(1, { retained: true })).slice(2), ['committed 2']);
  });

  test('the same status again is one that was said again', () => {
    hear(status(1));
    lines.length = 0;
    assert.deepEqual(hear(status(1)).slice(2), ['committed 2', 'repeated']);
  });

  test('events that could not be recorded because others before them are missing', () => {
    assert.deepEqual(hear(events(9), 5).slice(2), ['committed 2', 'missed event_gap']);
  });

  test('events that are recorded', () => {
    assert.deepEqual(hear(events(9), 9).slice(2), ['committed 2']);
  });

  test('what was refused, or failed, waits no longer and was not committed', () => {
    const one = message();
    times.note(one);
    times.ended('edge-1', [one], null);
    assert.deepEqual(lines, ['arrived status', 'taken 1']);
  });

  test('more than a queue holds', () => {
    times.dropped();
    assert.deepEqual(lines, ['taken 1', 'missed queue_full']);
  });
});
