/**
 * Errors as the API says them: each one a Kubernetes `Status` (metav1.Status), with the reason and code that
 * kubectl and client-go branch on. What is not a known error says nothing of its inside.
 */
import { REQUEST_REASONS, RequestError, type RequestReason } from '../ports.js';
import { StoreError } from '../store/store.js';
import { StreamRefused, type StreamRefusedCode } from '../streams/streams.js';

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** The resource's plural, as Kubernetes does it. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly { reason: string; message: string; field: string }[];
}

export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Record<string, never>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code: number;
}

/** Which object a request is about: goes into `details`. */
export interface Subject {
  readonly group: string;
  readonly resource: string;
  readonly name?: string;
}

function qualified(subject: Subject): string {
  return subject.group === '' ? subject.resource : `${subject.resource}.${subject.group}`;
}

/** The error for an object that is not there, in Kubernetes' words. */
export function notFound(subject: Subject): RequestError {
  return new RequestError('NotFound', `${qualified(subject)} "${subject.name ?? ''}" not found`);
}

export function success(subject: Subject, uid: string): Status {
  const { name, group, resource: kind } = subject;
  const details = { ...(name === undefined ? {} : { name }), group, kind, uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details, code: 200 };
}

/** A node's refusal as Kubernetes would say it. */
const REFUSED: Readonly<Record<StreamRefusedCode, RequestReason>> = {
  BadRequest: 'BadRequest',
  Forbidden: 'Forbidden',
  NotFound: 'NotFound',
  TooManyStreams: 'TooManyRequests',
  InternalError: 'InternalError',
  NotSupported: 'MethodNotAllowed',
  NodeOffline: 'ServiceUnavailable',
  Timeout: 'Timeout',
  // Nobody is there to read it.
  Cancelled: 'Timeout',
};

/** True for what went wrong on a node or on the way to it: no failure of the hub. */
export function isOfNode(error: unknown): boolean {
  return error instanceof StreamRefused;
}

/** The known error behind a thrown value, or null: then only "internal error" may be said. */
export function knownError(error: unknown): RequestError | null {
  if (error instanceof RequestError) return error;
  if (error instanceof StreamRefused) return new RequestError(REFUSED[error.code], error.message);
  if (!(error instanceof StoreError)) return null;
  switch (error.code) {
    case 'Conflict':
    case 'AlreadyExists':
    case 'NotFound':
    case 'Expired':
      return new RequestError(error.code, error.message);
    case 'Unavailable':
      return new RequestError('ServiceUnavailable', 'the store does not answer: try again');
    case 'NewerSchema':
    case 'Corrupt':
    case 'Locked':
      return null;
  }
}

export function failure(error: RequestError, subject: Subject | null): Status {
  const causes = error.causes.map(({ field, message }) => ({
    reason: 'FieldValueInvalid',
    message,
    field,
  }));
  const details: StatusDetails = {
    ...(subject?.name === undefined ? {} : { name: subject.name }),
    ...(subject ? { group: subject.group, kind: subject.resource } : {}),
    ...(causes.length === 0 ? {} : { causes }),
  };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason: error.reason,
    // Never absent: `kubectl debug` looks into it unasked.
    details,
    code: REQUEST_REASONS[error.reason],
  };
}
