/** What `flotilla rollout history` prints, laid out as kubectl does. Pure. */
import { isConfigMap, isPod } from '../../protocol/bundle-manifest.js';
import { layOut } from '../../protocol/columns.js';
import { bindingsOf } from '../../protocol/image-binding.js';
import { CHANGE_CAUSE } from '../rollout/change-cause.js';
import type { Outcome } from '../rollout/history.js';
import { waveText } from '../rollout/waves/plan.js';
import { describePod, harmless } from './bundle-text.js';
import { planText } from './plan-options.js';
import type { RevisionApiObject, WholeRevision } from './revisions.js';
import { strategyText } from './strategy-options.js';

const NONE = '<none>';
const UNKNOWN = '<unknown>';
const WIDTH = 15;
const field = (name: string, value: string) => `${name}:`.padEnd(WIDTH) + value;

const seconds = (at: string) => `${at.slice(0, 19)}Z`;

export function historyLines(name: string, items: readonly RevisionApiObject[]): string[] {
  const rows = items.map(item => [
    String(item.spec.revision),
    madeText(item),
    byText(item),
    signaturesText(item),
    endText(item),
    causeText(item) || NONE,
  ]);
  const head = ['REVISION', 'MADE', 'BY', 'SIGNATURES', 'ROLLOUT', 'CHANGE-CAUSE'];
  return [`bundle/${name}`, ...layOut([head, ...rows]).map(harmless)];
}

function causeText({ metadata }: RevisionApiObject): string {
  return metadata.annotations?.[CHANGE_CAUSE] ?? '';
}

function madeText({ metadata: { creationTimestamp } }: RevisionApiObject): string {
  return creationTimestamp === undefined ? UNKNOWN : seconds(creationTimestamp);
}

/** What came back from the fleet after a restore does not say who made it. */
function byText({ spec: { createdBy } }: RevisionApiObject): string {
  return createdBy === 'fleet' ? UNKNOWN : createdBy;
}

/** Those by release keys in force; what else there is is said. */
export function signaturesText({ status: { signatures } }: RevisionApiObject): string {
  const count = (verdict: string) => signatures.filter(one => one.verdict === verdict).length;
  const rest = [
    ...(count('bad') > 0 ? [`${count('bad')} BAD`] : []),
    ...(count('foreign') > 0 ? [`${count('foreign')} not in force`] : []),
  ];
  return [String(count('good')), ...rest].join(', ');
}

const WORDS: Readonly<Record<Outcome, string>> = {
  atOnce: 'to all nodes at once',
  progressing: 'progressing',
  paused: 'paused',
  completed: 'complete',
  aborted: 'aborted',
  superseded: 'superseded',
  withdrawn: 'withdrawn',
  removed: 'bundle deleted',
  unknown: UNKNOWN,
};

/** `aborted 2026-06-01T00:00:00Z by ann (exits at once)`: how its rollout ended, or stands. */
export function endText({ status }: RevisionApiObject): string {
  const { outcome, at, by, message, next, withdrawn } = status;
  const what = outcome === 'superseded' ? `superseded by revision ${next ?? '?'}` : WORDS[outcome];
  const who = by === null || outcome === 'superseded' ? '' : ` by ${by}`;
  const why = message === '' ? '' : ` (${message})`;
  const isOver = withdrawn !== null && outcome !== 'withdrawn';
  const root = isOver ? `, withdrawn by the root now (${withdrawn.reason})` : '';
  return `${what}${at === null ? '' : ` ${seconds(at)}`}${who}${why}${root}`;
}

/** What a revision is, and how it went through the fleet. */
export function revisionLines(name: string, revision: WholeRevision): string[] {
  const { spec, status } = revision;
  const { manifests, images, strategy, requires } = spec;
  const { rollout, nodeSelector, signatures, withdrawn, outcome } = status;
  const bindings = bindingsOf(images);
  const maps = manifests.filter(isConfigMap).map(({ metadata }) => metadata?.name ?? '');
  const plan = rollout?.plan ?? null;
  const signers = signatures.map(({ keyid, verdict }) => `  ${verdict.padEnd(8)} ${keyid}`);
  const needs = [
    ...(requires.arch.length === 0 ? [] : [requires.arch.join(', ')]),
    ...(requires.minAgent === null ? [] : [`agent ${requires.minAgent} or newer`]),
  ];
  const at = nodeSelector === null ? UNKNOWN : nodeSelector === '' ? '<all>' : nodeSelector;
  const lines = [
    `bundle/${name} with revision #${spec.revision}`,
    field('Change cause', causeText(revision) || NONE),
    field('Made', `${madeText(revision)} by ${byText(revision)}`),
    field('Digest', `sha256:${spec.digest}`),
    field('Signatures', signaturesText(revision)),
    ...signers,
    ...(withdrawn === null
      ? []
      : [field('Withdrawn', `${withdrawn.reason}: ${withdrawn.message}`)]),
    field('Undo down to', `revision ${spec.rollbackFloor}`),
    field('Judged by', strategyText(strategy)),
    ...(needs.length === 0 ? [] : [field('Only for', needs.join('; '))]),
    field('Nodes', at),
    field('Rolled out', outcome === 'unknown' ? UNKNOWN : planText(plan)),
    field('Rollout', endText(revision)),
    ...waveLines(revision),
    ...wordLines(revision),
    ...(spec.secrets.length === 0 ? [] : [field('Secrets', spec.secrets.join(', '))]),
    ...(maps.length === 0 ? [] : [field('ConfigMaps', maps.join(', '))]),
    ...manifests.filter(isPod).flatMap(pod => describePod(pod, bindings)),
  ];
  return lines.map(harmless);
}

function waveLines({ status: { rollout } }: WholeRevision): string[] {
  const waves = rollout?.plan.waves ?? [];
  return waves.map((wave, i) => {
    const began = rollout?.status.waves[i];
    const when =
      began === undefined
        ? 'did not begin'
        : `began ${seconds(began.startedAt)}${began.passedAt === null ? '' : `, passed ${seconds(began.passedAt)}`}`;
    return `  wave ${i + 1} of ${waves.length} (${waveText(wave)}): ${when}`;
  });
}

function wordLines({ status: { rollout } }: WholeRevision): string[] {
  return (rollout?.words ?? []).map(({ verb, by, at, reason }) => {
    return `  ${seconds(at)} ${verb} by ${by}${reason === '' ? '' : ` (${reason})`}`;
  });
}
