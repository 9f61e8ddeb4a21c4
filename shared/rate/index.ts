// How often something may be done that somebody else can bring about.
//
// In: a clock, how many at once, how long until one more. Out: whether it may be done now.
// Never: waits, or queues what may not be done.

export { TokenBucket } from './token-bucket.ts'
