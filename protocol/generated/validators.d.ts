/** Made by `protocol/schema/generate.mjs`; the code lies in `dist/protocol/generated/validators.js`. */
interface Validator {
  (value: unknown): boolean;
  errors?: readonly ValidationError[] | null;
}
export interface ValidationError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
}
export const validatePod: Validator;
export const validateEnvelope: Validator;
export const validateRootDocument: Validator;
export const validateBundleDocument: Validator;
export const validateAssignmentDocument: Validator;
export const validateHubDocument: Validator;
export const validateMarkDocument: Validator;
export const validateAnswerDocument: Validator;
export const validateAckDocument: Validator;
export const validateJoinedDocument: Validator;
export const validatePresenceDocument: Validator;
export const validateRequestDocument: Validator;
export const validateStatusDocument: Validator;
export const validatePodDocument: Validator;
export const validateEventDocument: Validator;
export const validateJoinDocument: Validator;
