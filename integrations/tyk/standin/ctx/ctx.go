// Package ctx stands for Tyk's.
package ctx

type Key uint

const Definition Key = 7
