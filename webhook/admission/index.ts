// Admission: the API server's door. A review comes in, an answer goes out.
//
// In: AdmissionReview of admission.k8s.io/v1 over HTTPS; what injection, mounting and validation decide. Out: the answer, a log
// line, counters.
// Never: decides itself; lets a decision depend on the API server, which may need it to answer: only warnings of a
// policy may come from there, and the answer waits at most 2 s for them.
// Source: Kubernetes, dynamic admission control.

export {
  type AdmissionServer,
  type AdmissionServerOptions,
  createAdmissionServer,
  type ServingCertificateSource
} from './admission-server.ts'
export { answerReview, type Verdict } from './answer.ts'
export { type AdmissionMetrics, createAdmissionMetrics } from './metrics.ts'
export { type AdmissionRequest, parseReview } from './review.ts'
export { reviewMount } from './review-mount.ts'
export { reviewPod } from './review-pod.ts'
export { reviewPolicy } from './review-policy.ts'
export type { Reviewer } from './routes.ts'
export type { PortWarningOptions } from './warn-of-ports.ts'
