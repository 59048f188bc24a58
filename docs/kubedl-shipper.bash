# Completion of bash for kubedl-shipper, made by `make docs`. To use it: . kubedl-shipper.bash
_kubedl_shipper()
{
    local word=$2 before=$3 words='' files=no
    [ "$before" = = ] && before=${COMP_WORDS[COMP_CWORD - 2]}
    [ "$word" = = ] && word=''
    case "${COMP_WORDS[1]} $before" in
    'dead-letters show') words='' ;;
    'dead-letters retry') words='all' ;;
    'dead-letters drop') words='all' ;;
    'jobs -n' | 'jobs --namespace') words='' ;;
    'jobs --limit') words='' ;;
    'jobs -o' | 'jobs --output') words='table json' ;;
    'jobs --status') words='Created Queuing Running Restarting Succeeded Failed Stopped' ;;
    'jobs --kind') words='TFJob PyTorchJob XGBoostJob XDLJob MarsJob MPIJob ElasticDLJob ElasticBatchJob PaddleJob JAXJob' ;;
    'jobs --since') words='' ;;
    'pods -n' | 'pods --namespace') words='' ;;
    'pods --limit') words='' ;;
    'pods -o' | 'pods --output') words='table json' ;;
    'repair --only') words='jobs-gone jobs-replaced pods-gone pods-replaced pods-of-gone-jobs pods-of-ended-jobs ended-pods-of-gone-jobs' ;;
    *' kubedl-shipper' | *'/kubedl-shipper')
        words='check audit dead-letters jobs pods repair sweep replay --check-config help version --help --version' ;;
    'check '*) words='--json --help --version' ;;
    'audit '*) words='--help --version' ;;
    'dead-letters '*) words='--help --version list show retry drop' ;;
    'jobs '*) words='--namespace --limit --output --status --kind --since --help --version' ;;
    'pods '*) words='--namespace --limit --output --help --version' ;;
    'repair '*) words='--dry-run --yes --only --help --version' ;;
    'sweep '*) words='--confirm --help --version' ;;
    'replay '*) words='--help --version' files=yes ;;
    '--check-config '*) words='--help --version' ;;
    'help '*) words='--help --version check audit dead-letters jobs pods repair sweep replay --check-config help version settings' ;;
    'version '*) words='--help --version' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    if [ "$files" = yes ]; then
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _kubedl_shipper kubedl-shipper
