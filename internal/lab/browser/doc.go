// Package browser looks at the embedded desk's page in headless Chromium, as a person would.
package browser
