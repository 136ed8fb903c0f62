/**
 * What a node needs before it has a certificate. All of it is public or proves itself (signed documents, a token
 * inside a signed envelope), so these paths ask for no client certificate.
 */
import { DIGEST_PATTERN } from '../../../protocol/names.js';
import type { Enrolment } from '../../ports.js';
import { RequestError } from '../../ports.js';
import { json, param, text, type Answer, type ApiRequest, type Route } from '../request.js';

export const JOIN_BYTES_MAX = 16 * 1024;
const PEM = 'application/x-pem-file';

function envelope(content: Uint8Array): Answer {
  return { type: 'bytes', code: 200, contentType: 'application/json', content };
}

function root(content: Uint8Array | null, which: string): Answer {
  if (content) return envelope(content);
  throw new RequestError('NotFound', `there is no root ${which} here`);
}

function versionOf(request: ApiRequest): number {
  const version = param(request, 'version');
  if (/^[1-9]\d{0,14}$/.test(version)) return Number(version);
  throw new RequestError('BadRequest', 'the version of a root is a number from 1');
}

function digestOf(request: ApiRequest): string {
  const digest = param(request, 'digest');
  if (DIGEST_PATTERN.test(digest)) return digest;
  throw new RequestError('BadRequest', 'the digest of a root is 64 lower-case hex digits');
}

export function enrolmentRoutes(enrolment: Enrolment): readonly Route[] {
  const get = { method: 'GET', access: 'anyone' } as const;
  const post = { method: 'POST', access: 'anyone' } as const;
  return [
    {
      ...get,
      path: '/flotilla/v1/root/:digest',
      handle: async request => {
        const digest = digestOf(request);
        return root(await enrolment.rootByDigest(digest), `with the digest ${digest}`);
      },
    },
    {
      ...get,
      path: '/flotilla/v1/roots/:version',
      handle: async request => {
        const version = versionOf(request);
        return root(await enrolment.rootByVersion(version), `of version ${version}`);
      },
    },
    {
      ...get,
      path: '/flotilla/v1/authorities',
      handle: async () => text(enrolment.authorities(), PEM),
    },
    {
      ...post,
      path: '/flotilla/v1/nonce',
      handle: async () => json({ nonce: enrolment.nonce() }),
    },
    {
      ...post,
      path: '/flotilla/v1/join',
      handle: async request =>
        envelope(await enrolment.join(await request.body(JOIN_BYTES_MAX), request.address)),
    },
    {
      ...post,
      path: '/flotilla/v1/renew',
      handle: async request =>
        envelope(await enrolment.renew(await request.body(JOIN_BYTES_MAX), request.address)),
    },
    {
      ...post,
      path: '/flotilla/v1/rotate',
      handle: async request =>
        envelope(await enrolment.rotate(await request.body(JOIN_BYTES_MAX), request.address)),
    },
  ];
}
