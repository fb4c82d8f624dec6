package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// cost is what a program pays for a contestant besides time.
type cost struct {
	name   string
	listed int           // modules in the program's build list, its own left out
	linked int           // modules of which code is in the program
	size   float64       // MiB added to a program that prints a line
	build  time.Duration // with the standard library built before
}

const (
	root = "github.com/supportbee-go/supportbee"
	lab  = root + "/internal/lab"
)

func measureCosts(ctx context.Context) ([]cost, error) {
	folder, err := os.MkdirTemp("", "report-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	build := func(name, cache string) (string, time.Duration, error) {
		binary := filepath.Join(folder, name)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, lab+"/bench/cost/"+name)
		cmd.Env = append(os.Environ(), "GOCACHE="+cache)
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", 0, fmt.Errorf("%w: %s", err, out)
		}
		return binary, time.Since(start), nil
	}
	std := filepath.Join(folder, "std")
	hello, _, err := build("hello", std)
	if err != nil {
		return nil, err
	}
	if _, _, err := build("hand-written", std); err != nil {
		return nil, err
	}
	start, err := os.Stat(hello)
	if err != nil {
		return nil, err
	}
	var costs []cost
	for _, name := range []string{"hand-written", "supportbee", "resty-v2", "resty-v3", "oapi-codegen", "ogen"} {
		cache := filepath.Join(folder, "cache-"+name)
		if err := os.CopyFS(cache, os.DirFS(std)); err != nil {
			return nil, err
		}
		binary, took, err := build(name, cache)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(binary)
		if err != nil {
			return nil, err
		}
		modules, err := exec.CommandContext(ctx, "go", "version", "-m", binary).Output()
		if err != nil {
			return nil, err
		}
		listed, err := buildList(ctx, filepath.Join(folder, "module-"+name), name)
		if err != nil {
			return nil, err
		}
		costs = append(costs, cost{
			strings.ReplaceAll(name, "-v", " v"), listed, strings.Count(string(modules), "\tdep\t"), float64(info.Size()-start.Size()) / (1 << 20), took,
		})
		_ = os.RemoveAll(cache)
	}
	return costs, nil
}

// buildList makes a module of a contestant's program, as a user would have it, and counts the
// modules in its build list. A generated client is part of the program.
func buildList(ctx context.Context, folder, name string) (int, error) {
	run := func(dir string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = dir
		if dir != "" {
			cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out)), nil
	}
	rootDir, err := run("", "list", "-m", "-f", "{{.Dir}}", root)
	if err != nil {
		return 0, err
	}
	labDir, err := run("", "list", "-m", "-f", "{{.Dir}}", lab)
	if err != nil {
		return 0, err
	}
	program, err := os.ReadFile(filepath.Join(labDir, "bench", "cost", name, "main.go"))
	if err != nil {
		return 0, err
	}
	for _, peer := range []string{"oapiclient", "ogenclient"} {
		if bytes.Contains(program, []byte(peer)) {
			if err := os.CopyFS(filepath.Join(folder, "peers", peer), os.DirFS(filepath.Join(labDir, "bench", "peers", peer))); err != nil {
				return 0, err
			}
		}
	}
	// The versions are those that are measured here; tidying leaves what the program needs.
	requirements, err := os.ReadFile(filepath.Join(labDir, "go.mod"))
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // a module to build
		return 0, err
	}
	for file, text := range map[string]string{
		"main.go": strings.ReplaceAll(string(program), lab+"/bench/peers", "program/peers"),
		"go.mod":  programModule(string(requirements), rootDir),
	} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil { //nolint:gosec // a module to build
			return 0, err
		}
	}
	if _, err := run(folder, "mod", "tidy"); err != nil {
		return 0, err
	}
	modules, err := run(folder, "list", "-m", "all")
	return strings.Count(modules, "\n"), err
}

// programModule returns the go.mod of a program that requires what the lab does.
func programModule(requirements, rootDir string) string {
	return strings.NewReplacer("module "+lab, "module program", "=> ../../", "=> "+rootDir+"/").Replace(requirements)
}
