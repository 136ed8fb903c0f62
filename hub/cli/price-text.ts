/** The price of a change in few words: nodes that are alike are one line. Pure. */
import { counted } from '../../protocol/counted.js';
import { humanDuration } from '../../protocol/human-duration.js';
import { bytesText } from '../../protocol/usage.js';
import type { PodChange } from '../../protocol/pod-change.js';
import { sum, type NodePrice } from '../foresight/price.js';
import { namedUpTo } from './counted-names.js';

const GROUPS_SHOWN = 8;
const PODS_SHOWN = 4;
const NODES_SHOWN = 2;

/** Empty: there is nobody whom it concerns. */
export function priceLines(prices: readonly NodePrice[]): string[] {
  if (prices.length === 0) return [];
  const groups = [...groupsOf(prices)].sort((a, b) => b.length - a.length);
  const shown = groups.slice(0, GROUPS_SHOWN);
  const rest = groups.slice(GROUPS_SHOWN).flat();
  return [
    ...shown.map(group => `${headOf(group)}: ${groupText(group)}`),
    ...(rest.length === 0 ? [] : [`${counted(rest.length, 'more node')}: -o json says each`]),
    ...(groups.length === 1 ? [] : [totalLine(prices)]),
  ];
}

/** Of one node, with each image. */
export function nodePriceLines(price: NodePrice): string[] {
  const images = price.images.map(({ image, bytes }) => {
    return `  image ${image}: ${bytes === null ? 'unknown' : `at most ${bytesText(bytes)}`}`;
  });
  return [`${price.node}: ${groupText([price])}`, ...images];
}

/** Alike in what happens to their pods, and in where it comes from. */
function groupsOf(prices: readonly NodePrice[]): Iterable<NodePrice[]> {
  const groups = new Map<string, NodePrice[]>();
  for (const price of prices) {
    const images = price.images.map(({ image }) => image).join();
    const key = `${price.leaves} ${podsText(price.pods)} ${images}`;
    const group = groups.get(key);
    if (group) group.push(price);
    else groups.set(key, [price]);
  }
  return groups.values();
}

function headOf(group: readonly NodePrice[]): string {
  const names = group.map(({ node }) => node);
  return names.length <= NODES_SHOWN
    ? namedUpTo(names, NODES_SHOWN)
    : counted(names.length, 'node');
}

function groupText(group: readonly NodePrice[]): string {
  const [first] = group;
  const offline = group.filter(({ isOnline }) => !isOnline).length;
  const away = offline === 0 ? '' : offline === group.length ? ' (away)' : ` (${offline} away)`;
  return [
    `${podsText(first?.pods ?? null)}${downText(group)}${away}`,
    `${amountText(group.map(({ mqttBytes }) => mqttBytes))} over MQTT`,
    `${amountText(group.map(({ registryBytes }) => registryBytes))} from registries`,
    ...freeText(group),
  ].join(', ');
}

/** `web restarts (app)`; what stays is said only where nothing else happens. */
function podsText(pods: readonly PodChange[] | null): string {
  if (pods === null) return 'what runs there is unknown';
  const disturbed = pods.filter(({ is }) => is !== 'stays');
  if (disturbed.length === 0) return pods.length === 0 ? 'no pods' : 'no pod restarts';
  const byWord = (['restarts', 'starts', 'stops'] as const).flatMap(word => {
    const names = disturbed
      .filter(({ is }) => is === word)
      .map(({ pod, containers }) => (containers === null ? pod : `${pod}/${containers.join('+')}`));
    if (names.length === 0) return [];
    const verb = names.length === 1 ? word : word.slice(0, -1);
    return `${namedUpTo(names, PODS_SHOWN)} ${verb}`;
  });
  return byWord.join(' and ');
}

/** ` (about 4s)`, ` (about 4s to 9s)`, ` (for how long is unknown)`. */
function downText(group: readonly NodePrice[]): string {
  const isDown = group.some(({ pods }) => pods?.some(({ is }) => is === 'restarts') === true);
  if (!isDown) return '';
  const known = group.flatMap(({ downSeconds }) => downSeconds ?? []).sort((a, b) => a - b);
  const [least = 0, most = 0] = [known[0], known[known.length - 1]];
  if (known.length === 0) return ' (for how long is unknown)';
  const text = (seconds: number) => humanDuration(seconds * 1000);
  const unknown = group.length - known.length;
  const range = least === most ? text(least) : `${text(least)} to ${text(most)}`;
  return ` (about ${range}${unknown === 0 ? '' : `; unknown on ${counted(unknown, 'node')}`})`;
}

/** Of each node; `unknown` where one of them is, with what is known of the others. */
function amountText(amounts: readonly (number | null)[]): string {
  const known = amounts.flatMap(bytes => bytes ?? []).sort((a, b) => a - b);
  const unknown = amounts.length - known.length;
  if (known.length === 0) return 'unknown';
  const [least = 0, most = 0] = [known[0], known[known.length - 1]];
  const range =
    bytesText(least) === bytesText(most)
      ? bytesText(most)
      : `${bytesText(least)} to ${bytesText(most)}`;
  const each = amounts.length === 1 || most === 0 ? '' : ' each';
  return `${range}${each}${unknown === 0 ? '' : ` (unknown on ${counted(unknown, 'node')})`}`;
}

function freeText(group: readonly NodePrice[]): string[] {
  const known = group.flatMap(({ freeBytes }) => freeBytes ?? []);
  if (known.length === 0) return ['disk after unknown'];
  const least = bytesText(Math.min(...known));
  const unknown = group.length - known.length;
  const of = unknown === 0 ? '' : ` (unknown on ${counted(unknown, 'node')})`;
  return [`${group.length === 1 ? '' : 'at least '}${least} free after${of}`];
}

function totalLine(prices: readonly NodePrice[]): string {
  const restarts = prices.reduce((all, { pods }) => {
    return all + (pods ?? []).filter(({ is }) => is === 'restarts').length;
  }, 0);
  const total = (bytes: number | null) => (bytes === null ? 'unknown' : bytesText(bytes));
  return [
    `in all ${counted(prices.length, 'node')}: ${counted(restarts, 'pod')} ${restarts === 1 ? 'restarts' : 'restart'}`,
    `${total(sum(prices.map(({ mqttBytes }) => mqttBytes)))} over MQTT`,
    `${total(sum(prices.map(({ registryBytes }) => registryBytes)))} from registries`,
  ].join(', ');
}
