/** Sizes that are checked before anything is decoded, in bytes, and how many of a thing a bundle may have. */

/** Largest MQTT payload: AWS IoT Core takes 128 KiB with its overhead. */
export const MESSAGE_BYTES_MAX = 120 * 1024;
/** Payload of any document inside an envelope: base64 and signatures must still fit into a message. */
export const PAYLOAD_BYTES_MAX = 84 * 1024;
export const ROOT_BYTES_MAX = 64 * 1024;
export const ASSIGNMENT_BYTES_MAX = 64 * 1024;
export const BUNDLE_BYTES_MAX = 80 * 1024;
/** Canonical JSON of one manifest, whatever number of parts it travels in. */
export const MANIFEST_BYTES_MAX = 1024 * 1024;
/** One blob as published, after compression; larger content travels in parts. */
export const BLOB_BYTES_MAX = MESSAGE_BYTES_MAX;
/** All manifests of one bundle together. */
export const BUNDLE_CONTENT_BYTES_MAX = 8 * 1024 * 1024;
/** `parameters` of an assignment, canonical JSON. */
export const PARAMETERS_BYTES_MAX = 8 * 1024;
/** Parameters of the node that one bundle may ask for. */
export const DECLARED_PARAMETERS_MAX = 64;

/** Of one pod of a bundle, init containers included. */
export const BUNDLE_CONTAINERS_MAX = 64;
/** Entries of `env` of one container of a bundle's pod. */
export const BUNDLE_ENV_MAX = 1000;

/** Digests that one image of a bundle may be bound to: an index, its platforms, their image ids. */
export const IMAGE_DIGESTS_MAX = 64;
