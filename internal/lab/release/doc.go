// Package release proves that the modules can be used as they will be released.
package release
