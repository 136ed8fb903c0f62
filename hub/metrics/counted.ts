/**
 * What is counted as it happens, in Prometheus' words: requests to the API, reports of nodes, backups. Held in memory; begins at zero
 * with the process. Labels have values of closed lists alone, so that nobody outside can make the figures grow without end.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { BackupMeter } from '../backup/scheduled.js';
import type { RequestMeter } from '../api/request-meter.js';
import { FOUND_BY, type IngestMeter } from '../ingest/ingest-meter.js';
import { NODE_KINDS } from '../link/messages.js';

const VERBS = ['GET', 'WATCH', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OTHER'] as const;

export interface Counted {
  readonly requests: RequestMeter;
  readonly ingest: IngestMeter;
  readonly backups: BackupMeter;
}

/** Once for each registry. */
export function countedIn(registry: Registry): Counted {
  const registers = [registry];
  return {
    requests: requestMeter(registers),
    ingest: ingestMeter(registers),
    backups: backupMeter(registers),
  };
}

function requestMeter(registers: Registry[]): RequestMeter {
  const requests = new Counter({
    name: 'flotilla_api_requests_total',
    help: 'Requests to the HTTPS API by verb (WATCH: lists that go on; CONNECT: other protocols) and status code; 499: the client went first',
    labelNames: ['verb', 'code'],
    registers,
  });
  const durations = new Histogram({
    name: 'flotilla_api_request_duration_seconds',
    help: 'From the head of a request to the end of its answer, WATCH and CONNECT left out',
    labelNames: ['verb'],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  return {
    answered: ({ verb: given, code, seconds }) => {
      const verb = VERBS.find(known => known === given) ?? 'OTHER';
      requests.inc({ verb, code });
      if (verb !== 'WATCH' && verb !== 'CONNECT') durations.observe({ verb }, seconds);
    },
  };
}

function ingestMeter(registers: Registry[]): IngestMeter {
  const messages = new Counter({
    name: 'flotilla_ingest_messages_total',
    help: 'Messages of nodes that arrived, by kind',
    labelNames: ['kind'],
    registers,
  });
  const refused = new Counter({
    name: 'flotilla_ingest_refused_messages_total',
    help: 'Messages that were refused: badly signed, malformed, or of nobody who belongs to the fleet',
    registers,
  });
  const committing = new Histogram({
    name: 'flotilla_ingest_commit_duration_seconds',
    help: 'From the arrival of a message of a node until what it says was committed to the store',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const age = new Histogram({
    name: 'flotilla_ingest_status_age_seconds',
    help: 'From the time that a node signed into a status until it was committed; of nodes whose clock is proven, and not of what the broker kept. 30 s and more: it was heard when it was said again',
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 300, 3600],
    registers,
  });
  const missed = new Counter({
    name: 'flotilla_ingest_missed_messages_total',
    help: 'Messages that were found to be missing, and are asked for or waited for: a pod that a status names and nobody told (pod_digest), a gap in the numbers of events (event_gap), a status that builds on one that is not known (status_base), too many at once of one node (queue_full)',
    labelNames: ['found_by'],
    registers,
  });
  const repeated = new Counter({
    name: 'flotilla_ingest_repeated_statuses_total',
    help: 'Statuses that were recorded already when they came: said again because the confirmation did not arrive in time',
    registers,
  });
  const waiting = new Gauge({
    name: 'flotilla_ingest_waiting_messages',
    help: 'Messages of nodes that arrived and are not committed',
    registers,
  });
  for (const kind of NODE_KINDS) messages.inc({ kind }, 0);
  for (const by of FOUND_BY) missed.inc({ found_by: by }, 0);
  return {
    arrived: kind => {
      messages.inc({ kind });
      waiting.inc();
    },
    taken: count => waiting.dec(count),
    refused: (count = 1) => refused.inc(count),
    committed: seconds => committing.observe(seconds),
    statusAge: seconds => age.observe(seconds),
    missed: (by, count = 1) => missed.inc({ found_by: by }, count),
    repeated: () => repeated.inc(),
  };
}

function backupMeter(registers: Registry[]): BackupMeter {
  const made = new Counter({
    name: 'flotilla_backups_total',
    help: 'Scheduled backups of this process, by result',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['success', 'failure']) made.inc({ result }, 0);
  return { ended: isMade => made.inc({ result: isMade ? 'success' : 'failure' }) };
}
