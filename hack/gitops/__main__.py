"""`python3 -m hack.gitops`: build the programs and print their paths."""

from hack.gitops.programs import ARGOCD, FLUX, path_of

if __name__ == "__main__":
    for module in (FLUX, ARGOCD):
        print(path_of(module))
