// Made by protocol/schema/generate.mjs; do not edit.
import type { ErrorObject } from '../schema-error.js';
import type { AssignmentDocument } from '../documents/assignment.js';
import type { BundleDocument } from '../documents/bundle.js';
import type { CommandDocument } from '../documents/command.js';
import type { JoinDocument, RenewDocument, RotateDocument, JoinedDocument } from '../documents/enrolment.js';
import type { Envelope } from '../documents/envelope.js';
import type { HubDocument, MarkDocument, AnswerDocument, TimeDocument, AckDocument } from '../documents/hub.js';
import type { PresenceDocument, RequestDocument, ReplyDocument, OpeningDocument, StandingDocument, StatusDocument, PodDocument, EventDocument } from '../documents/node.js';
import type { RootDocument } from '../documents/root.js';
import type { SecretDocument } from '../documents/secret.js';

/** `errors` belongs to the last call: read it at once. */
interface Validator {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null;
}

interface DocumentValidator<T> {
  (value: unknown): value is T;
  errors?: ErrorObject[] | null;
}

/** Reports all errors. */
export const validatePod: Validator;
/** Reports the first error. */
export const validateAssignmentDocument: DocumentValidator<AssignmentDocument>;
/** Reports the first error. */
export const validateBundleDocument: DocumentValidator<BundleDocument>;
/** Reports the first error. */
export const validateCommandDocument: DocumentValidator<CommandDocument>;
/** Reports the first error. */
export const validateJoinDocument: DocumentValidator<JoinDocument>;
/** Reports the first error. */
export const validateRenewDocument: DocumentValidator<RenewDocument>;
/** Reports the first error. */
export const validateRotateDocument: DocumentValidator<RotateDocument>;
/** Reports the first error. */
export const validateJoinedDocument: DocumentValidator<JoinedDocument>;
/** Reports the first error. */
export const validateEnvelope: DocumentValidator<Envelope>;
/** Reports the first error. */
export const validateHubDocument: DocumentValidator<HubDocument>;
/** Reports the first error. */
export const validateMarkDocument: DocumentValidator<MarkDocument>;
/** Reports the first error. */
export const validateAnswerDocument: DocumentValidator<AnswerDocument>;
/** Reports the first error. */
export const validateTimeDocument: DocumentValidator<TimeDocument>;
/** Reports the first error. */
export const validateAckDocument: DocumentValidator<AckDocument>;
/** Reports the first error. */
export const validatePresenceDocument: DocumentValidator<PresenceDocument>;
/** Reports the first error. */
export const validateRequestDocument: DocumentValidator<RequestDocument>;
/** Reports the first error. */
export const validateReplyDocument: DocumentValidator<ReplyDocument>;
/** Reports the first error. */
export const validateOpeningDocument: DocumentValidator<OpeningDocument>;
/** Reports the first error. */
export const validateStandingDocument: DocumentValidator<StandingDocument>;
/** Reports the first error. */
export const validateStatusDocument: DocumentValidator<StatusDocument>;
/** Reports the first error. */
export const validatePodDocument: DocumentValidator<PodDocument>;
/** Reports the first error. */
export const validateEventDocument: DocumentValidator<EventDocument>;
/** Reports the first error. */
export const validateRootDocument: DocumentValidator<RootDocument>;
/** Reports the first error. */
export const validateSecretDocument: DocumentValidator<SecretDocument>;
