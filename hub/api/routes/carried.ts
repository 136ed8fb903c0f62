/** Exports for nodes that no network reaches, and the receipts that come back. */
import type { Carrier } from '../../ports.js';
import { RequestError } from '../../ports.js';
import { topicsOf } from '../../../protocol/topics.js';
import { API_VERSION } from '../../objects.js';
import { checkKind, fieldsAt, refuseUnknown } from '../body-fields.js';
import { json, type ApiRequest, type Route } from '../request.js';
import { groupPath, GROUP } from '../resources.js';

/** Of a receipt: the outbox of one node, or of a few. */
const RECEIPT_BYTES_MAX = 32 * 1024 * 1024;

function invalid(message: string): RequestError {
  return new RequestError('Invalid', `receipt: ${message}`);
}

/** Throws BadRequest and Invalid. */
export function parseReceipt(text: string): Parameters<Carrier['receive']>[0] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RequestError('BadRequest', 'the body is not JSON');
  }
  const body = fieldsAt(value, '');
  checkKind(body, API_VERSION.Root, 'Receipt');
  refuseUnknown(body, ['apiVersion', 'kind', 'spec'], '');
  const spec = fieldsAt(body['spec'], 'spec');
  refuseUnknown(spec, ['fleet', 'messages'], 'spec');
  const { fleet, messages } = spec;
  if (typeof fleet !== 'string' || !/^[0-9a-f]{32}$/.test(fleet))
    throw invalid('it names no fleet');
  if (!Array.isArray(messages)) throw invalid('spec.messages must be a list');
  const { prefix } = topicsOf(fleet);
  return {
    fleet,
    messages: messages.map((one: unknown, index) => {
      const at = `spec.messages[${index}]`;
      const fields = fieldsAt(one, at);
      refuseUnknown(fields, ['topic', 'payload'], at);
      const { topic, payload } = fields;
      if (typeof topic !== 'string' || typeof payload !== 'string') {
        throw invalid(`${at}: topic and payload must be strings`);
      }
      return { topic: prefix + topic, payload: Buffer.from(payload, 'base64') };
    }),
  };
}

export function carriedRoutes(carrier: Carrier): readonly Route[] {
  const base = groupPath(GROUP);
  const common = { access: 'admin', subject: { group: GROUP, resource: 'exports' } } as const;
  return [
    {
      ...common,
      method: 'GET',
      path: `${base}/exports`,
      handle: async ({ query }: ApiRequest) => {
        const nodes = query.get('nodes')?.split(',') ?? null;
        if (nodes === null && query.get('all') !== 'true') {
          throw new RequestError('BadRequest', 'which nodes? nodes=NAME,NAME or all=true');
        }
        const { fleet, messages, images, ...made } = await carrier.export(nodes);
        const { prefix } = topicsOf(fleet);
        const told = messages.map(({ topic, payload }) => ({
          topic: topic.slice(prefix.length),
          payload: Buffer.from(payload).toString('base64'),
        }));
        const spec = { fleet, nodes: made.nodes, images, messages: told };
        return json({ apiVersion: API_VERSION.Root, kind: 'Export', spec });
      },
    },
    {
      ...common,
      method: 'POST',
      path: `${base}/receipts`,
      handle: async (request: ApiRequest) => {
        const body = await request.body(RECEIPT_BYTES_MAX);
        const nodes = await carrier.receive(parseReceipt(body.toString('utf8')));
        return json({ apiVersion: API_VERSION.Root, kind: 'Receipt', status: { nodes } });
      },
    },
  ];
}
