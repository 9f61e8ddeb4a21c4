// The life of a program: what must have happened before it is ready.
//
// In: named debts, paid as a program starts. Out: ready or not, and what is still open.
// Never: decides what to serve while not ready.

export { type Debt, Readiness } from './readiness.ts'
