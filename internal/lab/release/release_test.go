package release

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/supportbee-go/supportbee"
)

const (
	root    = "../../.."
	path    = "github.com/supportbee-go/supportbee"
	version = "v" + supportbee.Version
)

// published are the folders of the modules that users import. In the tree the nested ones use the
// others through replace directives, which a release removes.
var published = []string{".", "supportbeecheck", "supportbeeotel", "supportbeequeue", "supportbeeredis", "supportbeeservice"}

// publish adds a module of the tree to a module proxy, which is a folder.
func publish(t *testing.T, proxy, folder string) {
	t.Helper()
	source := filepath.Join(root, folder)
	data, err := os.ReadFile(filepath.Join(source, "go.mod"))
	require.NoError(t, err)
	file, err := modfile.Parse("go.mod", data, nil)
	require.NoError(t, err)
	if file.Module.Mod.Path != path {
		for _, replace := range slices.Clone(file.Replace) {
			require.NoError(t, file.DropReplace(replace.Old.Path, ""))
			require.NoError(t, file.AddRequire(replace.Old.Path, version))
		}
		file.Cleanup()
		if data, err = file.Format(); err != nil {
			t.Fatal(err)
		}
		released := t.TempDir()
		require.NoError(t, os.CopyFS(released, os.DirFS(source)))
		require.NoError(t, os.WriteFile(filepath.Join(released, "go.mod"), data, 0o600))
		source = released
	}
	released := module.Version{Path: file.Module.Mod.Path, Version: version}
	versions := filepath.Join(proxy, filepath.FromSlash(released.Path), "@v")
	require.NoError(t, os.MkdirAll(versions, 0o755))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(versions, name), []byte(text), 0o600))
	}
	write("list", version+"\n")
	write(version+".info", fmt.Sprintf(`{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version))
	write(version+".mod", string(data))
	archive, err := os.Create(filepath.Join(versions, version+".zip"))
	require.NoError(t, err)
	require.NoError(t, zip.CreateFromDir(archive, released, source))
	require.NoError(t, archive.Close())
}

// The program can be installed, and a module of a user's can import the SDK, the desk and the
// modules beside them, from a module proxy that has nothing but releases of them.
func TestAReleaseCanBeUsed(t *testing.T) {
	t.Parallel()
	proxy := t.TempDir()
	imports := ""
	for _, folder := range published {
		if _, err := os.Stat(filepath.Join(root, folder, "go.mod")); err != nil {
			continue
		}
		publish(t, proxy, folder)
		imports += fmt.Sprintf("\t_ %q\n", strings.TrimSuffix(path+"/"+folder, "/."))
	}
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	work := t.TempDir()
	run := func(dir string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-modcacherw", "GONOSUMDB=*", "GONOSUMCHECK=1", "GOSUMDB=off",
			"GOMODCACHE="+filepath.Join(work, "modcache"), "GOBIN="+filepath.Join(work, "bin"),
			"GOPROXY=file://"+filepath.ToSlash(proxy)+",file://"+filepath.ToSlash(strings.TrimSpace(string(cache)))+"/cache/download")
		out, err := command.CombinedOutput()
		require.NoError(t, err, "go %s: %s", strings.Join(args, " "), out)
		return string(out)
	}

	run(work, "install", path+"/supportbeetest/cmd/supportbee-desk@"+version)
	require.FileExists(t, filepath.Join(work, "bin", "supportbee-desk"))

	user := filepath.Join(work, "user")
	require.NoError(t, os.Mkdir(user, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(user, "go.mod"), []byte("module example.com/user\n\ngo 1.26.0\n"), 0o600))
	program := "package main\n\nimport (\n" + imports + "\t_ \"" + path + "/supportbeetest\"\n)\n\nfunc main() {}\n"
	require.NoError(t, os.WriteFile(filepath.Join(user, "main.go"), []byte(program), 0o600))
	run(user, "get", path+"@"+version)
	run(user, "build", "-mod=mod", "-o", os.DevNull, ".")
	require.Equal(t, path+" "+version+"\n", run(user, "list", "-mod=mod", "-m", path))
}
